"""A client of an ASGI application in this process: requests never see a socket."""

import asyncio
import threading
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpx

ENDLESS = (b"event: heartbeat", b"event: reset", b": heartbeat", b": reset")
"""How streams of changes begin, which end when the caller leaves: this client does, with the first event."""
BASE_URL = "http://keyturn.localhost:8080"


class _Transport(httpx.BaseTransport):
    """Gives requests to the application, in one event loop that all clients of the process share."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        return asyncio.run_coroutine_threadsafe(self._answer(request, body), loop()).result()

    async def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        arriving = iter([{"type": "http.request", "body": body, "more_body": False}])
        status, headers, parts = 0, [], []

        leaving = asyncio.Event()

        async def receive() -> Any:
            message = next(arriving, None)
            if message is None:
                await leaving.wait()
            return message or {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
            else:
                parts.append(message["body"])
                if message["body"].startswith(ENDLESS):
                    leaving.set()

        await self._application(scope_of(request), receive, send)
        return httpx.Response(status, headers=headers, content=b"".join(parts))


def scope_of(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("testclient", 50000),
        "server": (request.url.host, request.url.port or 80),
    }


@cache
def loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="client", daemon=True).start()
    return loop


class Client(httpx.Client):
    """As a context manager it ends the application's threads, as a server does when it stops."""

    def __init__(self, application: Any, *, base_url: str = BASE_URL) -> None:
        super().__init__(transport=_Transport(application), base_url=base_url, follow_redirects=True)
        self._application = application

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        super().__exit__(kind, error, trace)
        asyncio.run_coroutine_threadsafe(self._stop(), loop()).result()

    async def _stop(self) -> None:
        arriving = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> Any:
            return next(arriving)

        async def send(message: Any) -> None:
            assert message["type"].endswith(".complete"), message

        await self._application({"type": "lifespan"}, receive, send)
