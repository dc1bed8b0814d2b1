"""The short way of a request whose answer is known: no thread, no middleware, no log line of its own.

What is not understood at a glance, and every refusal, goes the long way, so nothing is decided twice. Both ways give the same
answer, to the byte, but for the request id. A test compares them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Protocol

import structlog

from keyturn.errors import KeyturnError, Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.web.auth import client_ip
from keyturn.web.server.admission import check_host
from keyturn.web.server.connections import peer_of
from keyturn.web.server.middleware import EdgeMiddleware, request_id

_access = structlog.get_logger("keyturn.access")

LOG_EVERY = 10.0
"""Seconds for which answers of this way are counted before the log tells of them."""
MOST_LOGGED = 1000
"""Lines that are counted at a time."""
_ORDINALS = 1000
_MOST_HEADERS = 64

_LONG_WAY = frozenset({b"origin", b"sec-fetch-site", b"transfer-encoding", b"content-length"})
"""Headers of browsers, and of requests with a body."""


@dataclass(slots=True)
class Glance:
    """A request as far as the short way looks at it."""

    path: str
    query: bytes
    authorization: bytes
    if_none_match: str
    instance: str
    refresh_interval: str
    in_use: str
    ip: str
    request_id: str


@dataclass(slots=True)
class Known:
    """An answer that is given at once. ``headers`` are those that stand after what is said of the content.

    ``waited``: seconds for which it was held back since its caller wanted to wait.
    """

    status: int
    content: bytes
    headers: list[tuple[bytes, bytes]]
    actor_id: str | None
    waited: float = 0.0


def _nothing() -> None:
    """Nobody waits for the end of a request."""


@dataclass(slots=True)
class LongWay:
    """How the long way is to go on: the ``ticket`` is for its handler, who keeps the answer with it.

    ``waited``: seconds for which the caller, who wanted to wait, has waited already. ``over`` is called when it was answered.
    """

    ticket: object | None
    waited: float = 0.0
    over: Callable[[], None] = _nothing


ANSWERED = LongWay(None)


class KnownAnswers(Protocol):
    """Who knows answers."""

    def concerns(self, path: str, query: bytes) -> bool:
        """Say whether an answer to a GET of this path and query may be known."""

    def answer(self, glance: Glance) -> Awaitable[Known | LongWay]:
        """Return the answer, or how the long way is to make it. What it raises the long way says in full."""


class FastPath:
    """Looks at each request first. To be used from one event loop."""

    def __init__(self, gate: EdgeMiddleware, answers: KnownAnswers) -> None:
        self._gate = gate
        self._answers = answers
        head = {**gate.always, "cache-control": "no-store", **({"vary": "Origin"} if gate.cors_origins else {})}
        self._last = [(name.encode(), text.encode()) for name, text in head.items()]
        self._prefix, self._ordinal = "", _ORDINALS
        self._log = _GroupedLog()
        self.reads = {"kept": 0, "unchanged": 0, "looked_up": 0}
        """How many requests were answered here, with content or without, and how many went the long way."""

    async def serve(self, scope: Any, send: Any) -> LongWay | None:
        """Answer the request and return ``ANSWERED``; else return what ``KnownAnswers.answer`` gave for the long way."""
        path = self._gate.below.inside(scope["path"])
        if scope["method"] != "GET" or not self._answers.concerns(path, scope["query_string"]):
            return None
        glance = self._look(scope, path)
        if glance is None:
            self.reads["looked_up"] += 1
            return None
        began, peer, traffic = time.perf_counter(), peer_of(scope), self._gate.traffic
        traffic.begin(peer)
        try:
            known = await self._answers.answer(glance)
            if isinstance(known, LongWay):
                self.reads["looked_up"] += 1
                return known
            head = [*known.headers, (b"x-request-id", glance.request_id.encode()), *self._last]
            if known.status == 200:
                size = b"%d" % len(known.content)
                head = [(b"content-type", b"application/json"), (b"content-length", size), *head]
            await send({"type": "http.response.start", "status": known.status, "headers": head})
            await send({"type": "http.response.body", "body": known.content, "more_body": False})
        except KeyturnError:
            self.reads["looked_up"] += 1
            return None
        finally:
            traffic.end(peer)
        self.reads["kept" if known.status == 200 else "unchanged"] += 1
        self._log.add(glance, known, time.perf_counter() - began - known.waited)
        return ANSWERED

    def write_log(self) -> None:
        """Write what is counted into the log."""
        self._log.write()

    def _look(self, scope: Any, path: str) -> Glance | None:
        """Return what is looked at; None for what the long way has to judge."""
        headers = scope["headers"]
        by_name: dict[bytes, bytes] = dict(headers)
        authorization, host = by_name.get(b"authorization"), by_name.get(b"host")
        if (
            authorization is None
            or host is None
            or len(by_name) != len(headers)  # one that was sent twice
            or len(headers) > _MOST_HEADERS  # the web server itself takes no more than ``HEADER_BYTES`` of them
            or not _LONG_WAY.isdisjoint(by_name)
            or not _is_host(host)
        ):
            return None
        return Glance(
            path,
            scope["query_string"],
            authorization,
            by_name.get(b"if-none-match", b"").decode("latin-1"),
            by_name.get(b"x-keyturn-instance", b"").decode("latin-1"),
            by_name.get(b"x-keyturn-refresh-interval", b"").decode("latin-1"),
            by_name.get(b"x-keyturn-in-use", b"").decode("latin-1"),
            self._ip(scope["client"], by_name.get(b"x-forwarded-for")),
            self._request_id(),
        )

    def _ip(self, client: Any, forwarded: bytes | None) -> str:
        peer = client[0] if client else None
        if forwarded is None or not self._gate.trusted_proxies:
            return _plain_ip(peer)
        return client_ip(peer, [forwarded.decode("latin-1")], self._gate.trusted_proxies)

    def _request_id(self) -> str:
        """Return an id as ``middleware.request_id`` makes them, of which a thousand in a row begin alike."""
        if self._ordinal == _ORDINALS:
            self._prefix, self._ordinal = request_id(self._gate.ids)[:-3], 0
        self._ordinal += 1
        return f"{self._prefix}{self._ordinal - 1:03}"


@lru_cache(maxsize=4096)
def _plain_ip(peer: str | None) -> str:
    return client_ip(peer, (), ())


@lru_cache(maxsize=256)
def _is_host(value: bytes) -> bool:
    try:
        check_host({"host": value.decode("latin-1")})
    except Refused:
        return False
    return bool(value.strip())


@dataclass(slots=True)
class _Line:
    first_request_id: str
    count: int = 0
    slowest: float = 0.0


class _GroupedLog:
    """Counts equal answers and writes one line for all of ten seconds: the first request's id, how many, the slowest.

    A line for each would take longer than the answer. Who read what is in the audit trail, to the first read of each minute.
    """

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int, str, str | None], _Line] = {}
        self._writes_at: asyncio.TimerHandle | None = None

    def add(self, glance: Glance, known: Known, seconds: float) -> None:
        key = (glance.path, known.status, glance.ip, known.actor_id)
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= MOST_LOGGED:
                self.write()
            line = self._lines[key] = _Line(glance.request_id)
            if self._writes_at is None:
                self._writes_at = asyncio.get_running_loop().call_later(LOG_EVERY, self.write)
        line.count += 1
        line.slowest = max(line.slowest, seconds)

    def write(self) -> None:
        lines, self._lines = self._lines, {}
        if self._writes_at is not None:
            self._writes_at.cancel()
            self._writes_at = None
        for (path, status, ip, actor_id), line in lines.items():
            _access.info(
                "requests",
                request_id=line.first_request_id,
                method="GET",
                path=path[:200],
                status=status,
                count=line.count,
                slowest_milliseconds=round(line.slowest * 1000, 1),
                ip=ip,
                actor=actor_id,
            )
