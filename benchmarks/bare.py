"""The web server alone, around an application that does nothing: what part of a measurement is its own.

``/wait`` is answered after a minute, everything else at once: 304 to who sends ``If-None-Match``, else 200 with some bytes.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keyturn.web.server.serve import Limits, WebServer

_CONTENT = b"x" * 700
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"700")]
_READY = "ready at "


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        return
    if scope["path"] == "/wait":
        await asyncio.sleep(60)
    if any(name == b"if-none-match" for name, _ in scope["headers"]):
        await send({"type": "http.response.start", "status": 304, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _CONTENT, "more_body": False})


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """Serve in a process of its own; give its URL and id."""
    child = subprocess.Popen([sys.executable, "-m", "benchmarks.bare"], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield child.stdout.readline().strip().removeprefix(_READY), child.pid
    finally:
        child.kill()  # what it serves is nobody's
        child.wait()


if __name__ == "__main__":
    many = Limits(connections=1_000_000)  # as many as there may be files open
    WebServer(application, host="127.0.0.1", port=0, limits=many).run(lambda url: print(_READY + url, flush=True))
