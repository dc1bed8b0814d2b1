"""Middleware around the application: request id, security headers, ETag, CORS, HEAD, access log, and an answer to any error."""

import asyncio
import hashlib
import string
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field
from functools import partial
from typing import Any, Protocol

import structlog

from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Ids
from keyturn.web.auth import Network, RequestContext, client_ip
from keyturn.web.error_responses import refused_head, unexpected_error
from keyturn.web.etags import matches
from keyturn.web.messages import Response
from keyturn.web.server.admission import FOR_MACHINES, check_head, check_path
from keyturn.web.server.connections import Traffic, peer_of
from keyturn.web.subpath import AT_ROOT, SubPath

_access = structlog.get_logger("keyturn.access")

_ALPHANUMERICS = string.ascii_letters + string.digits
_SHOWN = 200
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}

_ONLY_HTTPS = {"strict-transport-security": "max-age=31536000"}

Application = Callable[[Any, RequestContext, Any, Any], Awaitable[None]]
Observe = Callable[[str, str | None, int, float, str | None], None]
"""Told of each answer: the method, the template of the route, the status (0: the caller was gone), the seconds that it took,
and the code of the error that it told.
"""


class RequestSpan(Protocol):
    """A request that is under way, as somebody follows it who is told how it was answered."""

    def answered(self, route: str | None, status: int, request_id: str, code: str | None) -> None: ...


Trace = Callable[[str, str], AbstractContextManager[RequestSpan]]
"""Follows a request with this method, which is part of what its header ``traceparent`` says."""


class _Unfollowed:
    def answered(self, route: str | None, status: int, request_id: str, code: str | None) -> None: ...


_UNFOLLOWED = _Unfollowed()


def nobody_traces(_method: str, _traceparent: str) -> AbstractContextManager[RequestSpan]:
    """Follow nothing."""
    return nullcontext(_UNFOLLOWED)


def nobody_observes(_method: str, _route: str | None, _status: int, _seconds: float, _code: str | None) -> None:
    """Note nothing."""


def request_id(ids: Ids) -> str:
    """Return ``req-`` and 14 alphanumerics. Ids that callers send are never used: they could forge log lines."""
    number, text = uuid.UUID(ids.new()).int, ""
    for _ in range(14):
        number, index = divmod(number, len(_ALPHANUMERICS))
        text += _ALPHANUMERICS[index]
    return f"req-{text}"


@dataclass(frozen=True)
class EdgeMiddleware:
    ids: Ids
    trusted_proxies: tuple[Network, ...] = ()
    cors_origins: frozenset[str] = frozenset()
    secure: bool = False
    """Browsers reach this server by https, so they shall never come without again."""
    traffic: Traffic = field(default_factory=Traffic)
    below: SubPath = AT_ROOT
    observe: Observe = nobody_observes
    trace: Trace = nobody_traces

    @property
    def always(self) -> dict[str, str]:
        """What every answer says."""
        return {**_HEADERS, **(_ONLY_HTTPS if self.secure else {})}

    async def pass_through(
        self, app: Application, scope: Any, receive: Any, send: Any, ticket: object | None = None, waited: float = 0.0
    ) -> None:
        """Serve one request and log it. Nothing that goes wrong inside leaves without an answer.

        ``ticket`` and ``waited``: see :class:`RequestContext`.
        """
        began = time.perf_counter()
        scope = self.below.inner(scope)
        headers = _by_name(scope["headers"])
        peer = scope["client"][0] if scope.get("client") else None
        ip = client_ip(peer, headers.get("x-forwarded-for", ()), self.trusted_proxies)
        visit = RequestContext(request_id(self.ids), ip, headers.get("user-agent", (None,))[0])
        visit.ticket, visit.waited = ticket, waited
        reply = _Reply(
            send, scope["method"], scope["path"], visit, headers, self._cors(headers), self.always, self.below
        )
        inner = scope
        if scope["method"] == "HEAD":
            reply.answered = asyncio.Event()
            inner, receive = {**scope, "method": "GET"}, partial(_head_taken, reply.answered)
        logged = structlog.contextvars.bound_contextvars(request_id=visit.request_id)
        trace = nobody_traces if scope["path"] in FOR_MACHINES else self.trace
        following = trace(scope["method"], headers.get("traceparent", ("",))[0])
        with self.traffic.request(peer_of(scope)), logged, following as span:
            try:
                check_head(scope.get("http_version", ""), scope["path"], scope["headers"])
                check_path(scope["path"])
                if self.cors_origins and _is_preflight(scope, headers):
                    await reply.preflight()
                else:
                    await app(inner, visit, receive, reply.send)
            except Refused as error:
                await reply.whole(refused_head(error, visit))
            except Exception as error:  # noqa: BLE001 - every request gets an answer and a log line
                await reply.last_words(error)
            finally:
                seconds = time.perf_counter() - began
                span.answered(visit.route, reply.status, visit.request_id, visit.refusal)
                self.observe(inner["method"], visit.route, reply.status, seconds, visit.refusal)
                _write_access_log(scope, visit, reply.status, seconds)

    def _cors(self, headers: dict[str, list[str]]) -> dict[str, str]:
        if not self.cors_origins:
            return {}
        origin = headers.get("origin", [""])[-1]
        if origin not in self.cors_origins:
            return {"vary": "Origin"}
        return {
            "vary": "Origin",
            "access-control-allow-origin": origin,
            "access-control-expose-headers": "x-request-id, etag, retry-after",
            "cross-origin-resource-policy": "cross-origin",
        }


def _by_name(raw: list[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in raw:
        values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return values


async def _head_taken(answered: asyncio.Event) -> Any:
    """What a caller of HEAD sends: no body, and it leaves once it has the head."""
    await answered.wait()
    return {"type": "http.disconnect"}


def _is_preflight(scope: Any, headers: dict[str, list[str]]) -> bool:
    return scope["method"] == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def _write_access_log(scope: Any, visit: RequestContext, status: int, seconds: float) -> None:
    """Without query and body: both may hold what nobody may read in a log."""
    write = _access.debug if scope["path"] in FOR_MACHINES and status == 200 else _access.info
    write(
        "request",
        request_id=visit.request_id,
        method=scope["method"],
        path=scope["path"][:_SHOWN],
        status=status or None,
        milliseconds=round(seconds * 1000, 1),
        ip=visit.ip,
        actor=visit.actor.id if visit.actor else None,
    )


@dataclass
class _Reply:
    """Holds the start of the answer back until the first part of the body is known, for its ETag."""

    out: Callable[[Any], Awaitable[None]]
    method: str
    path: str
    visit: RequestContext
    request_headers: dict[str, list[str]]
    cors: dict[str, str]
    always: dict[str, str]
    below: SubPath
    status: int = 0
    _start: Any = field(default=None, repr=False)
    answered: asyncio.Event | None = field(default=None, repr=False)
    """Of a request for the head alone: whether it has that."""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] == "http.response.body" and self._start is not None:
            start, self._start = self._start, None
            message = self._finished(start, message)
            self.status = start["status"]
            await self.out(start)
        if self.answered is None or message["type"] != "http.response.body":
            await self.out(message)
        elif not self.answered.is_set():
            # A stream would go on without an end: whoever asks for the head has it.
            self.answered.set()
            await self.out({**message, "body": b"", "more_body": False})

    def _finished(self, start: Any, body: Any) -> Any:
        """Add the headers to the start, and turn the answer into a 304 when the caller has this very body."""
        headers = _by_name(start["headers"])
        more = {"x-request-id": self.visit.request_id, **self.always}
        if self.path.startswith("/api"):
            more["cache-control"] = "no-store"
        whole = not body.get("more_body", False) and "etag" not in headers  # whoever has set one has compared it, too
        if whole and self.method in {"GET", "HEAD"} and start["status"] == 200 and _is_json(headers):
            etag = f'"{hashlib.sha256(body["body"]).hexdigest()[:32]}"'
            more["etag"] = etag
            if matches(etag, self.request_headers.get("if-none-match", [])):
                start["status"] = 304
                body = {**body, "body": b""}
                start["headers"] = [pair for pair in start["headers"] if not pair[0].lower().startswith(b"content-")]
        cors = dict(self.cors)
        if "vary" in headers and "vary" in cors:
            cors["vary"] = ", ".join([*headers["vary"], cors["vary"]])
        extra = {name: value for name, value in more.items() if name not in headers} | cors
        start["headers"] = [
            *(pair for pair in start["headers"] if pair[0].decode("latin-1").lower() not in self.cors),
            *((name.encode(), value.encode("latin-1")) for name, value in extra.items()),
        ]
        start["headers"] = self.below.headers(start["headers"])
        return body

    async def preflight(self) -> None:
        allow = {
            "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
            "access-control-allow-headers": "authorization, content-type, if-none-match",
            "access-control-max-age": "600",
        }
        raw = [(name.encode(), value.encode()) for name, value in allow.items()]
        await self.send({"type": "http.response.start", "status": 204, "headers": raw})
        await self.send({"type": "http.response.body", "body": b""})

    async def last_words(self, error: Exception) -> None:
        """Answer 500 if nothing was sent yet; else cut the connection, so that nobody takes a half for a whole."""
        response = unexpected_error(error, self.visit)
        if self.status:
            raise error
        await self.whole(response)

    async def whole(self, response: Response) -> None:
        """Send an answer that was made outside the application."""
        await self.send({"type": "http.response.start", "status": response.status, "headers": response.head()})
        await self.send({"type": "http.response.body", "body": response.content})


def _is_json(headers: dict[str, list[str]]) -> bool:
    return headers.get("content-type", [""])[0].startswith("application/json")
