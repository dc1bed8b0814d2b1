"""A request as it came in and a response as it goes out, as far as this application needs them."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import field
from typing import Any

from keyturn.kit.dataclasses import dataclass
from keyturn.web.auth import RequestContext
from keyturn.web.cookies import Cookie

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_WITHOUT_BODY = frozenset({204, 304})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Request:
    """``headers`` by lower-case name, see :func:`headers_by_name`. ``path_params`` are decoded text."""

    method: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    visit: RequestContext
    path_params: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @staticmethod
    def of(scope: Any, visit: RequestContext) -> "Request":
        """Return the request of an ASGI scope, without its body."""
        return Request(scope["method"], scope["path"], scope["query_string"], headers_by_name(scope["headers"]), visit)


def headers_by_name(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by lower-case name. Several lines of one are one list: https://www.rfc-editor.org/rfc/rfc9110#section-5.3.

    Those that are no lists were refused before, see ``admission.ONCE``.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@dataclass
class Response:
    """A whole answer. Text types are sent as UTF-8."""

    content: bytes = field(default=b"", repr=False)
    status: int = 200
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()

    def head(self) -> list[tuple[bytes, bytes]]:
        """Return the header lines. Raises ValueError for one that would not stay one line, or is not latin-1."""
        lines = {**self._about_content(), **self.headers} if self.status not in _WITHOUT_BODY else self.headers
        head_lines = [_line(name, value) for name, value in lines.items()]
        return [*head_lines, *(_line("set-cookie", cookie.header()) for cookie in self.cookies)]

    def _about_content(self) -> dict[str, str]:
        return {"content-type": _with_charset(self.media_type), "content-length": str(len(self.content))}

    async def send_body(self, _receive: Receive, send: Send) -> None:
        """Send the content, once the head has been sent."""
        await send({"type": "http.response.body", "body": self.content, "more_body": False})


class Stream(Response):
    """An answer that is sent part by part; it ends when there are no more, or when nobody listens any more."""

    def __init__(
        self,
        parts: AsyncGenerator[bytes, None],
        media_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(media_type=media_type, headers=headers or {})
        self._parts = parts

    def _about_content(self) -> dict[str, str]:
        return {"content-type": _with_charset(self.media_type)}

    async def send_body(self, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send_parts(send))
        leaving = asyncio.create_task(_hung_up(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if not sending.cancelled():
            sending.result()

    async def _send_parts(self, send: Send) -> None:
        async with aclosing(self._parts) as parts:
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class EventStream(Stream):
    """Server-sent events, one after the other."""

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, "text/event-stream", {"cache-control": "no-store", "x-accel-buffering": "no"})


async def in_threads(parts: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the parts, each made in a thread while nobody else waits for it: to make one may take the database."""
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        yield part


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _line(name: str, value: str) -> tuple[bytes, bytes]:
    """Encode a header line. A line break in it would begin another header, or the body."""
    if not _NAME.fullmatch(name) or _CONTROL.search(value):
        raise ValueError(f"the header {name[:50]!r} does not fit into one line")
    return name.encode("ascii"), value.encode("latin-1")
