"""The server as the client knows it: signs in, reads and writes secrets, and tells a refusal from an outage."""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from keyturn.client.domain import Answered, Outage, Refusal, Source
from keyturn.client.sign_in import SignIn
from keyturn.client.transport import Answer, Http
from keyturn.errors import NotFound
from keyturn.kit.ids import is_uuid
from keyturn.kit.retry_after import retry_after
from keyturn.kit.secret import Plaintext

_HIDDEN = "<hidden-by-infisical>"
_REFUSALS = frozenset({400, 401, 403, 404, 422})
_LATE = 10.0
_EARLY = 30.0
"""A token is replaced so many seconds before its end."""


class Server:
    """One server, asked as one identity. Safe to share between threads. Nothing is repeated but a sign-in."""

    def __init__(
        self,
        http: Http,
        sign_in: SignIn,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._sign_in = sign_in
        self._monotonic = monotonic
        self._now = now
        self._signing_in = threading.Lock()
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
        content = _content(self._accepted(answer))
        token, lasts = content.get("accessToken"), content.get("expiresIn")
        if not isinstance(token, str) or not isinstance(lasts, int):
            raise Outage("the answer to the sign-in is not one of this server's")
        self._token, self._ends = Plaintext(token), self._monotonic() + lasts - _EARLY
        return self._token

    def read(
        self, source: Source, tag: str | None = None, *, wait: int = 0, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """Return the secrets of the source; without values when they still are what ``tag`` stands for.

        With ``wait`` a server that can do so answers only once they are not, or after so many seconds. One that does not answer
        then either is given up after :data:`_LATE` more: something between may hold the answer back for ever.
        Raises Refusal when the server says no after a fresh sign-in, Outage for everything else.
        """
        query = _query(source) | ({"wait": str(wait)} if wait else {})
        conditions = {"if-none-match": tag} if tag else {}
        seconds = wait + _LATE if wait else None
        answer = self._ask("GET", "/api/v4/secrets", query, headers={**(headers or {}), **conditions}, seconds=seconds)
        if answer.status == 304 and tag is not None:
            return _answered(answer.headers, tag, None, {})
        new_tag = answer.headers.get("etag")
        if new_tag is None or answer.status == 304:
            raise Outage("the answer has no ETag, so something between has changed it")
        entries = _entries(_content(answer))
        values = {name: Plaintext(entry["secretValue"]) for name, entry in entries.items()}
        versions = {name: entry["version"] for name, entry in entries.items() if isinstance(entry.get("version"), int)}
        return _answered(answer.headers, new_tag, values, versions)

    def acknowledge(
        self, source: Source, key_ids: Sequence[str], instance: str, refresh_interval: float | None
    ) -> None:
        """Say that these credentials of the source are in use. Raises Refusal, NotFound or Outage."""
        body: dict[str, object] = {**_place(source), "instance": instance, "keyIds": list(key_ids)}
        if refresh_interval is not None:
            body["refreshInterval"] = math.ceil(refresh_interval)
        self._ask("POST", "/api/v1/delivery/in-use", body=body)

    def write(self, source: Source, name: str, value: Plaintext) -> bool:
        """Set a secret to the value. Returns whether it is new. Raises Refusal or Outage."""
        place = {**_query(source), "secretValue": value.reveal()}
        path = _written_at(name)
        try:
            self._ask("PATCH", path, body=place)
        except NotFound:
            self._ask("POST", path, body=place)
            return True
        return False

    def describe(self, source: Source, name: str) -> dict[str, Any]:
        """Return what the server tells of a secret without its value. Raises NotFound, Refusal or Outage."""
        query = {**_query(source), "viewSecretValue": "false", "includeImports": "false"}
        secret = self.ask("GET", f"/api/v4/secrets/{quote(name, safe='')}", query).get("secret")
        if not isinstance(secret, dict):
            raise Outage("the answer is not one of this server's")
        return {key: value for key, value in secret.items() if key != "secretValue"}

    def delete(self, source: Source, name: str) -> dict[str, Any]:
        """Remove a secret, and return what it was, without its value. Raises NotFound, Refusal or Outage."""
        answer = self.ask("DELETE", _written_at(name), body=_query(source))
        secret = answer.get("secret", {})
        return {key: value for key, value in secret.items() if key != "secretValue"}

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        """Return what the API answers to a request with a token. Raises NotFound, Refusal or Outage."""
        return _content(self._ask(method, path, query, body=body))

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Ask with a token, once more with a fresh one when that is refused."""
        fresh, refused = False, None
        for _ in range(2):
            token, fresh = self._usable_token(refused)
            answer = self._http.send(
                method,
                path,
                query,
                None if body is None else _packed(body),
                {**(headers or {}), "authorization": f"Bearer {token.reveal()}"},
                seconds,
            )
            if fresh or not _is_refusal(answer) or answer.status not in {401, 403}:
                break
            refused = token
        return self._accepted(answer)

    def _accepted(self, answer: Answer) -> Answer:
        """Return the answer when it is what was asked for. Raises Refusal, NotFound or Outage."""
        if answer.status in {200, 201, 202, 204, 304}:
            return answer
        if _is_refusal(answer):
            raise _refusal(answer)
        wait = retry_after(answer.headers, self._now())
        raise Outage(
            f"the server answered with status {answer.status}",
            retry_after=None if wait is None else wait.total_seconds(),
        )

    def _usable_token(self, refused: Plaintext | None) -> tuple[Plaintext, bool]:
        """Return a token other than the refused one, and whether it was got just now. Of several threads one signs in."""
        given = getattr(self._sign_in, "token", None)
        if self._sign_in.method == "token" and isinstance(given, Plaintext):
            return given, refused is not None
        with self._signing_in:
            known = self._token
            if known is None or known is refused or self._monotonic() >= self._ends:
                return self.sign_in(), True
            return known, False


def _written_at(name: str) -> str:
    # Version 4 has its routes for several secrets where one of the name "batch" would be written.
    return f"/api/v3/secrets/raw/{quote(name, safe='')}"


def _place(source: Source) -> dict[str, str]:
    return {
        "projectId" if is_uuid(source.project) else "projectSlug": source.project,
        "environment": source.environment,
        "secretPath": source.path,
    }


def _query(source: Source) -> dict[str, str]:
    """Return how the API is told which secrets are meant."""
    return {
        **_place(source),
        "recursive": str(source.recursive).lower(),
        "includeImports": str(source.imports).lower(),
    }


def _is_refusal(answer: Answer) -> bool:
    """Whether the answer is a refusal in the server's own shape: a proxy's 403 must never count as the server's."""
    if answer.status not in _REFUSALS:
        return False
    try:
        content = _content(answer)
    except Outage:
        return False
    return content.get("statusCode") == answer.status and "reqId" in content and "message" in content


def _refusal(answer: Answer) -> NotFound | Refusal:
    content = _content(answer)
    kind = NotFound if answer.status == 404 else Refusal
    message = content["message"] if isinstance(content["message"], str) else json.dumps(content["message"])
    fix = content["fix"] if isinstance(content.get("fix"), str) else ""
    # Answers of some routes say in the message what to do, for programs that show nothing else.
    told = message.removesuffix(fix).rstrip() or message
    return kind(f"{told} (request {content['reqId']})", code="client.refused", fix=fix or None)


def _content(answer: Answer) -> dict[str, Any]:
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Outage(f"the answer with status {answer.status} is not one of this server's")
    return content


def _entries(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the secrets by name: those of the folder count most, then of folders below, then of imports, the last one first."""
    groups = [content.get("secrets", [])]
    groups += [each.get("secrets", []) for each in reversed(content.get("imports") or []) if isinstance(each, dict)]
    entries: dict[str, dict[str, Any]] = {}
    try:
        for group in groups:
            for secret in sorted(group, key=_depth):
                if secret["secretValue"] == _HIDDEN and secret.get("secretValueHidden", True):
                    raise Refusal(
                        f"This identity may see that there is a secret '{secret['secretKey']}', and not its value.",
                        code="client.hidden",
                        fix="Give it a role that may read values, or another folder.",
                    )
                entries.setdefault(secret["secretKey"], secret)
    except (KeyError, TypeError, AttributeError):
        raise Outage("the list of secrets is not one of this server's") from None
    return entries


def _depth(secret: Mapping[str, Any]) -> int:
    return len([name for name in str(secret.get("secretPath") or "/").split("/") if name])


def _packed(body: Mapping[str, object]) -> bytes:
    return json.dumps(body).encode()


def _answered(
    headers: Mapping[str, str], tag: str, values: Mapping[str, Plaintext] | None, versions: Mapping[str, int]
) -> Answered:
    """Return what the headers say; one that cannot be understood counts as none."""
    usable_for = _seconds(headers, "x-keyturn-usable-for", 10 * 365 * 86_400.0)
    return Answered(
        tag,
        values,
        tuple(filter(None, (each.strip() for each in headers.get("x-keyturn-key-id", "").split(",")))),
        None if usable_for is None else timedelta(seconds=usable_for),
        _seconds(headers, "x-keyturn-refresh-after", 86_400.0),
        versions,
        "deprecation" in headers,
        headers.get("sunset"),
    )


def _seconds(headers: Mapping[str, str], name: str, most: float) -> float | None:
    try:
        seconds = float(headers.get(name, ""))
    except ValueError:
        return None
    return min(max(seconds, 0.0), most) if math.isfinite(seconds) else None
