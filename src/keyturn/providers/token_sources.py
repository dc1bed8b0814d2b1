"""Where this server gets tokens that tell who it is: a file that its platform renews, a variable, GitHub Actions.

Only an operator names sources, in the settings of the server; a connection names one of them. So nobody who may set up
connections can have the server read a file, or call an address, of their choice. Nothing is kept: each sign-in reads anew, as
platforms renew tokens in place.
"""

import json
import os
import stat
import urllib.parse
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NoReturn, Protocol

from keyturn.errors import NeedsAction, Retryable
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, Transport, TransportFailed

LONGEST_TOKEN = 16 * 1024
"""Bytes. Tokens of clusters and managed identities have one to three thousand."""
TIMEOUT = timedelta(seconds=5)


class TokenSource(Protocol):
    """One source. Its errors name it, never a path, an address or a token."""

    def token(self, audience: str) -> Plaintext:
        """Get a token now, for this audience where the source can choose. Raises NeedsAction or Retryable. Repeatable."""


class TokenSources:
    """The sources of this server, by the names that its operator gave them."""

    def __init__(self, sources: Mapping[str, TokenSource]) -> None:
        self._sources = dict(sources)

    @property
    def names(self) -> Sequence[str]:
        return sorted(self._sources)

    def token(self, name: str, audience: str) -> Plaintext:
        """Get a token of this source. Raises NeedsAction for a source that the server does not have, and as sources do."""
        source = self._sources.get(name)
        if source is None:
            raise NeedsAction(
                f"This server has no token source '{name}'.",
                code="token_source.unknown",
                fix="An operator names it in KEYTURN_TOKEN_SOURCES and restarts; or choose another source.",
                field="tokenSource",
            )
        return source.token(audience)


# --- files and variables ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenFile:
    """A file that a platform renews: a projected volume of Kubernetes, a file of SPIRE."""

    name: str
    path: Path

    def token(self, audience: str) -> Plaintext:
        try:
            content = self._content()
        except OSError as error:
            self._unreadable(error)
        return read_token(self.name, content)

    def _content(self) -> bytes:
        # Without O_NONBLOCK a pipe in the place of the file would hold the thread for ever.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(0, "it is no regular file")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(LONGEST_TOKEN + 1)
        finally:
            os.close(descriptor)

    def _unreadable(self, error: OSError) -> NoReturn:
        raise NeedsAction(
            f"The file of the token source '{self.name}' cannot be read: {error.strerror or type(error).__name__}.",
            code="token_source.file_unreadable",
            fix="Mount the token where KEYTURN_TOKEN_SOURCES says, readable by the user that this server runs as; on Kubernetes "
            "as a projected volume with serviceAccountToken. `keyturn doctor` tells the path.",
        ) from None


@dataclass(frozen=True)
class TokenVariable:
    """A variable of the server's own environment: for a server that lives no longer than its token, as in a CI job."""

    name: str
    variable: str
    environ: Mapping[str, str]

    def token(self, audience: str) -> Plaintext:
        value = self.environ.get(self.variable, "")
        if not value:
            raise NeedsAction(
                f"The variable of the token source '{self.name}' is not set.",
                code="token_source.variable_missing",
                fix="Set the variable that KEYTURN_TOKEN_SOURCES names, and restart the server.",
            )
        return read_token(self.name, value.encode())


# --- over the network -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GitHubToken:
    """GitHub Actions, or what speaks like it: an address that gives the job's token for any audience.

    Source: https://docs.github.com/actions/security-for-github-actions/security-hardening-your-deployments/about-security-hardening-with-openid-connect.
    """

    name: str
    environ: Mapping[str, str]
    transport: Transport

    def token(self, audience: str) -> Plaintext:
        address = self.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
        bearer = self.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
        if not address.startswith(("https://", "http://localhost:", "http://127.0.0.1:")) or not bearer:
            raise NeedsAction(
                f"The token source '{self.name}' finds no GitHub Actions job around this server.",
                code="token_source.github_missing",
                fix="Give the job `permissions: id-token: write`, and pass ACTIONS_ID_TOKEN_REQUEST_URL and "
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN on to the server.",
            )
        joint = "&" if "?" in address else "?"
        url = f"{address}{joint}{urllib.parse.urlencode({'audience': audience})}"
        headers = {"authorization": f"Bearer {bearer}", "accept": "application/json"}
        try:
            response = self.transport.send(HttpRequest("GET", url, headers, timeout=TIMEOUT))
        except TransportFailed as failure:
            raise unreachable(self.name, str(failure)) from None
        value = _member(response, "value")
        if response.status >= 500 or response.status == 429:
            raise unreachable(self.name, f"status {response.status}")
        if response.status != 200 or not value:
            raise source_refused(
                self.name, f"status {response.status}", "Check the permission `id-token: write` of the job."
            )
        return read_token(self.name, value.encode())


# --- what all have in common ------------------------------------------------------------------------------------------


def read_token(name: str, content: bytes) -> Plaintext:
    """Return a token that may be one: three parts of base64url. Whether it is any good the receiver tells."""
    text = content.strip().decode("ascii", "replace")
    parts = text.split(".")
    if len(content) > LONGEST_TOKEN or len(parts) != 3 or not all(_is_base64url(part) for part in parts):
        raise NeedsAction(
            f"What the token source '{name}' holds is no token (a JSON Web Token of at most {LONGEST_TOKEN} bytes).",
            code="token_source.not_a_token",
            fix="Point KEYTURN_TOKEN_SOURCES to where the platform puts the token. `keyturn doctor` tells what is wrong.",
        )
    return Plaintext(text)


def _is_base64url(part: str) -> bool:
    return bool(part) and part.isascii() and part.replace("-", "").replace("_", "").rstrip("=").isalnum()


def _member(response: HttpResponse, name: str) -> str:
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""


def unreachable(name: str, why: str) -> Retryable:
    """Build the error for a source that did not answer."""
    return Retryable(
        f"The token source '{name}' did not answer: {why}.",
        code="token_source.unreachable",
        fix="It is tried again. If it goes on: is this server still where the source is, and does its network let it through?",
    )


def source_refused(name: str, why: str, fix: str) -> NeedsAction:
    """Build the error for a source that answered without a token."""
    return NeedsAction(f"The token source '{name}' gives no token: {why}.", code="token_source.refused", fix=fix)
