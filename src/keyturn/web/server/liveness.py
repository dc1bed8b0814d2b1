"""Health on a listener of its own, for probes: clients that fill the other one cannot block it.

It knows ``GET /healthz`` and ``GET /readyz`` and nothing else, and closes each connection after one answer.
"""

import asyncio
from contextlib import suppress
from typing import Any

from keyturn.web.server.admission import PROBES

_PATIENCE = 5.0
_LONGEST = 8 * 1024
_AT_ONCE = 64
_REASONS = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


class Liveness:
    """Serves probes, by asking the same application that serves everything else."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        self._open += 1
        try:
            if self._open <= _AT_ONCE:
                async with asyncio.timeout(_PATIENCE):
                    await self._exchange(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a probe that says nothing, or too much, gets nothing
        finally:
            self._open -= 1
            with suppress(OSError):
                writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].decode("latin-1").partition("?")[0]
        is_probe = method in {b"GET", b"HEAD"} and path in PROBES and len(head) <= _LONGEST
        status, body = await self._ask(path) if is_probe else (404, b"{}")
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}", "content-type: application/json"]
        lines += [f"content-length: {len(body)}", "cache-control: no-store", "connection: close", "", ""]
        writer.write("\r\n".join(lines).encode() + (b"" if method == b"HEAD" else body))
        await writer.drain()

    async def _ask(self, path: str) -> tuple[int, bytes]:
        status, body = 503, b""

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status, body
            status = message.get("status", status)
            body += message.get("body", b"")

        about = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        where = {"scheme": "http", "root_path": "", "http_version": "1.1", "headers": [(b"host", b"localhost")]}
        await self._app({**about, **where, "server": ("localhost", 0), "client": None}, receive, send)
        return status, body
