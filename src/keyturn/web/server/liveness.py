"""Health and metrics on a listener of their own: clients that fill the other one cannot block it.

It knows ``GET`` of :data:`FOR_MACHINES` and nothing else, and closes each connection after one answer. Those that say nothing
hold up nobody: a request has to be there within a moment, and where too many are awaited, the oldest of these connections ends.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from keyturn.web.server.admission import FOR_MACHINES

_HEAD_PATIENCE = 2.0
"""Seconds from the connection to the end of the request."""
_PATIENCE = 5.0
"""Seconds that an answer may take."""
_LONGEST = 8 * 1024
_AT_ONCE = 64
"""Requests that are answered at once."""
_SILENT = 256
"""Connections whose request is awaited."""
_PASSED_ON = frozenset({b"accept", b"authorization"})
"""Headers that an answer depends on."""
_REASONS = {200: "OK", 401: "Unauthorized", 404: "Not Found", 503: "Service Unavailable"}


class Liveness:
    """Serves probes, by asking an application that knows them."""

    def __init__(self, app: Any, *, all_paths: bool = False) -> None:
        """``all_paths``: the application is asked about every path."""
        self._app = app
        self._all_paths = all_paths
        self._answering = 0
        self._silent: dict[asyncio.StreamWriter, None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            head = await self._head(reader, writer)
            if self._answering < _AT_ONCE:
                async with asyncio.timeout(_PATIENCE):
                    await self._answer(head, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a probe that says nothing, or too much, gets nothing
        finally:
            with suppress(OSError):
                writer.close()

    async def _head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        if len(self._silent) == _SILENT:
            oldest = next(iter(self._silent))
            del self._silent[oldest]
            oldest.transport.abort()
        self._silent[writer] = None
        try:
            async with asyncio.timeout(_HEAD_PATIENCE):
                return await reader.readuntil(b"\r\n\r\n")
        finally:
            self._silent.pop(writer, None)

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        self._answering += 1
        try:
            await self._exchange(head, writer)
        finally:
            self._answering -= 1

    async def _exchange(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        first, *headers = head.split(b"\r\n")
        method, _, rest = first.partition(b" ")
        path = rest.partition(b" ")[0].decode("latin-1").partition("?")[0]
        is_known = method in {b"GET", b"HEAD"} and (self._all_paths or path in FOR_MACHINES) and len(head) <= _LONGEST
        status, media_type, body = await self._ask(path, headers) if is_known else (404, "application/json", b"{}")
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}", f"content-type: {media_type}"]
        lines += [f"content-length: {len(body)}", "cache-control: no-store", "connection: close", "", ""]
        writer.write("\r\n".join(lines).encode() + (b"" if method == b"HEAD" else body))
        await writer.drain()

    async def _ask(self, path: str, headers: Sequence[bytes]) -> tuple[int, str, bytes]:
        status, media_type, body = 503, "application/json", b""

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status, media_type, body
            status = message.get("status", status)
            media_type = dict(message.get("headers", ())).get(b"content-type", media_type.encode()).decode("latin-1")
            body += message.get("body", b"")

        about = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        where = {"scheme": "http", "root_path": "", "http_version": "1.1", "headers": list(_passed_on(headers))}
        await self._app({**about, **where, "server": ("localhost", 0), "client": None}, receive, send)
        return status, media_type, body


def _passed_on(headers: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    yield b"host", b"localhost"
    for line in headers:
        name, _, value = line.partition(b":")
        if name.strip().lower() in _PASSED_ON:
            yield name.strip().lower(), value.strip()
