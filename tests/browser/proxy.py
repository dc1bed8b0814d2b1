"""A reverse proxy that serves one server below a path of its own host, and takes that path off or leaves it."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade"}


@contextmanager
def below(base: str, port: int, upstream: int, *, strips: bool) -> Iterator[list[str]]:
    """Serve at ``port`` what ``upstream`` answers, below ``base``. Yields the paths asked for outside of it: 404 here."""
    strays: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.startswith((f"{base}/", f"{base}?")) and self.path != base:
                strays.append(self.path)
                self.send_error(404)
                return
            self._pass_on((self.path[len(base) :] or "/") if strips else self.path)

        def do_POST(self) -> None:
            self.do_GET()

        def _pass_on(self, path: str) -> None:
            length = int(self.headers.get("content-length", 0))
            asking = http.client.HTTPConnection("127.0.0.1", upstream, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            with suppress(OSError):
                asking.request(self.command, path, self.rfile.read(length) if length else None, headers)
                answer = asking.getresponse()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _HOP:
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                while part := answer.read1():
                    self.wfile.write(part)
                    self.wfile.flush()
            self.close_connection = True
            asking.close()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield strays
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
