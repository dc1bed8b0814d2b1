"""The server as the client knows it: signs in, reads and writes secrets, and tells a refusal from an outage."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from keyturn.client.domain import Outage, Refusal, SecretSet, Source
from keyturn.client.sign_in import SignIn
from keyturn.client.transport import Answer, Http
from keyturn.errors import NotFound
from keyturn.kit.ids import is_uuid
from keyturn.kit.secret import Plaintext

_HIDDEN = "<hidden-by-infisical>"
_REFUSALS = frozenset({400, 401, 403, 404, 422})
_EARLY = 30.0
"""A token is replaced so many seconds before its end."""


class Server:
    """One server, asked as one identity. Not shared between threads. Nothing is repeated but a sign-in."""

    def __init__(self, http: Http, sign_in: SignIn, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._sign_in = sign_in
        self._monotonic = monotonic
        self._token: Plaintext | None = None
        self._ends = 0.0

    @property
    def identity(self) -> str:
        return f"{self._sign_in.method}:{self._sign_in.identity}"

    def close(self) -> None:
        """Close the connections. Safe to repeat."""
        self._http.close()

    def sign_in(self) -> Plaintext:
        """Return a fresh access token. Raises Refusal or Outage."""
        body = self._sign_in.body()
        if body is None:
            raise Refusal(
                "The access token is no longer accepted.",
                code="client.token_refused",
                fix="Get a new one: keyturn login",
            )
        answer = self._http.send("POST", f"/api/v1/auth/{self._sign_in.method}/login", body=_packed(body))
        content = _content(_accepted(answer))
        token, lasts = content.get("accessToken"), content.get("expiresIn")
        if not isinstance(token, str) or not isinstance(lasts, int):
            raise Outage("the answer to the sign-in is not one of this server's")
        self._token, self._ends = Plaintext(token), self._monotonic() + lasts - _EARLY
        return self._token

    def read(self, source: Source, now: datetime, tag: str | None = None) -> SecretSet | None:
        """Return the secrets of the source, as of ``now``; None when they still are what ``tag`` stands for.

        Raises Refusal when the server says no after a fresh sign-in, Outage for everything else.
        """
        headers = {"if-none-match": tag} if tag else {}
        answer = self._ask("GET", "/api/v4/secrets", _query(source), headers=headers)
        if answer.status == 304:
            return None
        new_tag = answer.headers.get("etag")
        if new_tag is None:
            raise Outage("the answer has no ETag, so something between has changed it")
        return SecretSet(_values(_content(answer)), new_tag, now)

    def write(self, source: Source, name: str, value: Plaintext) -> bool:
        """Set a secret to the value. Returns whether it is new. Raises Refusal or Outage."""
        place = {**_query(source), "secretValue": value.reveal()}
        path = f"/api/v4/secrets/{quote(name, safe='')}"
        try:
            self._ask("PATCH", path, body=place)
        except NotFound:
            self._ask("POST", path, body=place)
            return True
        return False

    def delete(self, source: Source, name: str) -> None:
        """Remove a secret. Raises NotFound, Refusal or Outage."""
        self._ask("DELETE", f"/api/v4/secrets/{quote(name, safe='')}", body=_query(source))

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask with a token, once more with a fresh one when that is refused."""
        fresh = self._token is None or self._monotonic() >= self._ends
        for _ in range(2):
            token = self._usable_token(fresh=fresh)
            answer = self._http.send(
                method,
                path,
                query,
                None if body is None else _packed(body),
                {**(headers or {}), "authorization": f"Bearer {token.reveal()}"},
            )
            if fresh or not _is_refusal(answer) or answer.status not in {401, 403}:
                break
            fresh = True
        return _accepted(answer)

    def _usable_token(self, *, fresh: bool) -> Plaintext:
        given = getattr(self._sign_in, "token", None)
        if self._sign_in.method == "token" and isinstance(given, Plaintext):
            return given
        return self.sign_in() if fresh or self._token is None else self._token


def _query(source: Source) -> dict[str, str]:
    """Return how the API is told which secrets are meant."""
    return {
        "projectId" if is_uuid(source.project) else "projectSlug": source.project,
        "environment": source.environment,
        "secretPath": source.path,
        "recursive": str(source.recursive).lower(),
        "includeImports": str(source.imports).lower(),
    }


def _accepted(answer: Answer) -> Answer:
    """Return the answer when it is what was asked for. Raises Refusal, NotFound or Outage."""
    if answer.status in {200, 201, 304}:
        return answer
    if not _is_refusal(answer):
        raise Outage(f"the server answered with status {answer.status}", retry_after=_retry_after(answer))
    content = _content(answer)
    kind = NotFound if answer.status == 404 else Refusal
    message = content["message"] if isinstance(content["message"], str) else json.dumps(content["message"])
    fix = content.get("fix")
    raise kind(
        f"{message} (request {content['reqId']})", code="client.refused", fix=fix if isinstance(fix, str) else None
    )


def _is_refusal(answer: Answer) -> bool:
    """Whether the answer is a refusal in the server's own shape: a proxy's 403 must never count as the server's."""
    if answer.status not in _REFUSALS:
        return False
    try:
        content = _content(answer)
    except Outage:
        return False
    return content.get("statusCode") == answer.status and "reqId" in content and "message" in content


def _content(answer: Answer) -> dict[str, Any]:
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Outage(f"the answer with status {answer.status} is not one of this server's")
    return content


def _values(content: dict[str, Any]) -> dict[str, Plaintext]:
    """Return the values by name: those of the folder count most, then of folders below, then of imports, the last one first."""
    groups = [content.get("secrets", [])]
    groups += [each.get("secrets", []) for each in reversed(content.get("imports") or []) if isinstance(each, dict)]
    values: dict[str, Plaintext] = {}
    try:
        for group in groups:
            for secret in sorted(group, key=_depth):
                if secret["secretValue"] == _HIDDEN and secret.get("secretValueHidden", True):
                    raise Refusal(
                        f"This identity may see that there is a secret '{secret['secretKey']}', and not its value.",
                        code="client.hidden",
                        fix="Give it a role that may read values, or another folder.",
                    )
                values.setdefault(secret["secretKey"], Plaintext(secret["secretValue"]))
    except (KeyError, TypeError, AttributeError):
        raise Outage("the list of secrets is not one of this server's") from None
    return values


def _depth(secret: Mapping[str, Any]) -> int:
    return len([name for name in str(secret.get("secretPath") or "/").split("/") if name])


def _packed(body: Mapping[str, str]) -> bytes:
    return json.dumps(body).encode()


def _retry_after(answer: Answer) -> float | None:
    try:
        return min(max(float(answer.headers.get("retry-after", "")), 0.0), 3600.0)
    except ValueError:
        return None
