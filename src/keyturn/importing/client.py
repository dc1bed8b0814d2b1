"""Asks a server that speaks the Infisical API: patient, within limits, and without a word of what was sent in what it raises."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from keyturn.errors import KeyturnError, Misconfigured, Refused
from keyturn.importing.answers import SignedIn
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.printable import visible
from keyturn.kit.redact import redact_text
from keyturn.kit.retry_after import retry_after
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.http import HttpRequest, HttpResponse, ResponseTooLarge, Transport, TransportFailed

T = TypeVar("T")

TIMEOUT = timedelta(seconds=60)
"""For one answer."""
TRIES = 6
_LONG = timedelta(seconds=5)
_LATER = frozenset({429, 500, 502, 503, 504})
_LOGIN = "/api/v1/auth/universal-auth/login"
_QUOTED = 200


class SourceFailed(KeyturnError):
    """The server that is read does not answer, or not as this API does: the import ends. What was written stays."""


class SourceRefused(Refused):
    """The server that is read does not give one thing. Others may be read all the same."""


class NotThere(SourceRefused):
    """The thing is not there, or the server does not have the route."""


class AnswerTooLarge(SourceRefused):
    """The answer is larger than what is read of one."""


@dataclass(frozen=True)
class UniversalAuth:
    """A machine identity of the server that is read."""

    client_id: str
    client_secret: Plaintext


def origin_of(url: str) -> str:
    """Return the address without what clients write behind it. Raises Misconfigured for what is no address of a server."""
    parts = urlsplit(url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise Misconfigured(
            f"'{visible(url)[:_QUOTED]}' is not the address of a server.",
            code="import.url",
            fix="Write it as https://infisical.example.com, without a user name and without parameters.",
        )
    path = parts.path.rstrip("/").removesuffix("/api")
    return f"{parts.scheme}://{parts.netloc}{path}"


def part(text: str) -> str:
    """Return a text as one part of an address, whatever it holds."""
    return quote(text, safe="")


class SourceClient:
    """Signed in at its first use, and again when its token has ended. ``pause`` waits so many seconds."""

    def __init__(
        self,
        transport: Transport,
        url: str,
        identity: UniversalAuth | Plaintext,
        clock: Clock,
        *,
        pause: Callable[[float], object],
        tell: Callable[[str], None],
    ) -> None:
        self.url = origin_of(url)
        self._transport = transport
        self._identity = identity
        self._token = identity if isinstance(identity, Plaintext) else None
        self._clock = clock
        self._pause = pause
        self._tell = tell

    def get(self, path: str, query: Mapping[str, str], kind: type[T]) -> T:
        """Return what is there.

        Raises SourceRefused when it is not given, AnswerTooLarge, and SourceFailed when there is no use in going on.
        """
        address = f"{self.url}{path}?{urlencode(query)}" if query else f"{self.url}{path}"
        response = self._authorized(address)
        if _refuses_token(response) and isinstance(self._identity, UniversalAuth):
            self._token = None
            response = self._authorized(address)
        if response.status != 200:
            raise self._refusal(path, response)
        return self._decoded(path, response, kind)

    def _authorized(self, address: str) -> HttpResponse:
        self._token = self._token or self._sign_in()
        return self._send(HttpRequest("GET", address, self._headers(self._token), timeout=TIMEOUT))

    def _sign_in(self) -> Plaintext:
        if isinstance(self._identity, Plaintext):
            return self._identity
        body = {"clientId": self._identity.client_id, "clientSecret": self._identity.client_secret.reveal()}
        request = HttpRequest("POST", self.url + _LOGIN, self._headers(None), json.dumps(body).encode(), TIMEOUT)
        response = self._send(request)
        if response.status in {400, 401, 403, 422}:
            raise SourceFailed(
                f"{self.url} refused to sign the machine identity in: {self._words(response)}",
                code="import.sign_in_refused",
                fix="Look at its client ID and client secret, their end, and the addresses that they may be used from.",
            )
        if response.status != 200:
            raise self._not_this_api(_LOGIN, response)
        return self._decoded(_LOGIN, response, SignedIn).access_token

    def _headers(self, token: Plaintext | None) -> dict[str, str]:
        headers = {"accept": "application/json", "content-type": "application/json"}
        return headers | {"authorization": f"Bearer {token.reveal()}"} if token else headers

    def _send(self, request: HttpRequest) -> HttpResponse:
        """Send it, and again when that may help: nothing that is sent here changes anything."""
        reason = ""
        for number in range(TRIES):
            wait: timedelta | None = None
            try:
                response = self._transport.send(request)
            except ResponseTooLarge as error:
                raise AnswerTooLarge(
                    f"{self.url}: {error}",
                    code="import.answer_too_large",
                    fix="Split the folder there into several, and import again.",
                ) from None
            except TransportFailed as error:
                reason = str(error)
            else:
                if response.status not in _LATER:
                    return response
                reason = f"status {response.status}: {self._words(response)}"
                wait = retry_after(response.headers, self._clock.now())
            if number < TRIES - 1:
                wait = timedelta(seconds=2**number) if wait is None else wait
                if wait > _LONG:
                    self._tell(f"{self.url} is asked again in {wait.total_seconds():.0f} s ({reason}).")
                self._pause(wait.total_seconds())
        raise SourceFailed(
            f"{self.url} did not answer in {TRIES} tries: {reason}",
            code="import.no_answer",
            fix="Run the import again when it does: what was written stays, and is not written twice.",
        )

    def _refusal(self, path: str, response: HttpResponse) -> KeyturnError:
        if _refuses_token(response):
            return SourceFailed(
                f"{self.url} does not accept the access token: {self._words(response)}",
                code="import.token_refused",
                fix="Give another one, or the client ID and client secret of a machine identity.",
            )
        if response.status in {300, 301, 302, 303, 307, 308}:
            return self._not_this_api(path, response)
        kind = NotThere if response.status in {404, 501} else SourceRefused
        return kind(
            f"{self.url} answered {path} with status {response.status}: {self._words(response)}",
            code="import.source_refused",
            fix="See in the log of that server why, repair it, and import again.",
        )

    def _decoded(self, path: str, response: HttpResponse, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(response.body, type=kind, dec_hook=_plaintext)
        except msgspec.ValidationError as error:  # its text names the place, and holds no value
            raise SourceRefused(
                f"{self.url} answered {path} in a way that is not understood: {error}",
                code="import.answer_unknown",
                fix="Import from a version of that server whose API is the documented one.",
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._not_this_api(path, response) from None

    def _not_this_api(self, path: str, response: HttpResponse) -> SourceFailed:
        led = visible(response.headers.get("location", ""))[:_QUOTED]
        return SourceFailed(
            f"{self.url}{path} was answered with status {response.status}"
            f"{f' and leads to {led}' if led else ''}, and not by a server of this API.",
            code="import.not_this_api",
            fix="Give the address of the server itself, as it is in the browser without the path.",
        )

    def _words(self, response: HttpResponse) -> str:
        """Return what the server says for people: one short line without the secrets that were sent."""
        message = _refusal_in(response).message
        text = message if isinstance(message, str) else "the request is not valid there"
        for secret in (self._token, self._identity if isinstance(self._identity, Plaintext) else None):
            text = text.replace(secret.reveal(), "***") if secret else text
        if isinstance(self._identity, UniversalAuth):
            text = text.replace(self._identity.client_secret.reveal(), "***")
        return " ".join(visible(redact_text(text)).split())[:_QUOTED]


class _RefusalThere(msgspec.Struct):
    message: object = "no message"
    error: object = ""


def _refusal_in(response: HttpResponse) -> _RefusalThere:
    try:
        return msgspec.json.decode(response.body, type=_RefusalThere)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _RefusalThere()


def _refuses_token(response: HttpResponse) -> bool:
    """Say whether it is the token that is refused: one past its end is answered 403 with a word of its own."""
    return response.status == 401 or (response.status == 403 and _refusal_in(response).error == "TokenError")


def _plaintext(kind: type, value: object) -> object:
    if kind is Plaintext and isinstance(value, str):
        return Plaintext(value)
    raise TypeError("Expected `str`")
