"""A server that can be made to fail in every way in which servers, and what stands before them, do fail."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "kt-client-secret-canary"


@dataclass
class StandIn:
    """Serves one folder. ``trouble`` says what is wrong; ``asked`` are the requests, as method and path."""

    url: str = ""
    secrets: dict[str, str] = field(default_factory=lambda: {"API_KEY": "one"})
    trouble: str = ""
    asked: list[str] = field(default_factory=list)
    tokens: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)

    @property
    def reads(self) -> int:
        return len([each for each in self.asked if each == "GET /api/v4/secrets"])

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, dict[str, str], bytes]:
        path = path.partition("?")[0]
        self.asked.append(f"{method} {path}")
        if self.trouble == "silent":
            self.let_go.wait(30)
        if self.trouble in {"500", "502", "429"}:
            return int(self.trouble), {"retry-after": "40"}, b"<html>busy</html>"
        if self.trouble == "proxy":
            return 403, {}, b"<html>Forbidden by the proxy</html>"
        if path.endswith("/login"):
            return self._login(body)
        if self.trouble == "refused" or headers.get("authorization") != f"Bearer token-{self.tokens}":
            status = 403 if self.trouble == "refused" else 401
            shape = {"reqId": "req-1", "statusCode": status, "message": "You may not.", "error": "PermissionDenied"}
            return status, {}, json.dumps(shape).encode()
        if self.trouble == "gone":
            shape = {"reqId": "req-2", "statusCode": 404, "message": "There is no project.", "error": "NotFound"}
            return 404, {}, json.dumps(shape).encode()
        return self._list(headers)

    def _login(self, body: Any) -> tuple[int, dict[str, str], bytes]:
        if body.get("clientSecret") != SECRET:
            shape = {"reqId": "req-3", "statusCode": 401, "message": "Invalid credentials.", "error": "Unauthorized"}
            return 401, {}, json.dumps(shape).encode()
        self.tokens += 1
        return 200, {}, json.dumps({"accessToken": f"token-{self.tokens}", "expiresIn": 3600}).encode()

    def _list(self, headers: Any) -> tuple[int, dict[str, str], bytes]:
        entries = [{"secretKey": name, "secretValue": value, "secretPath": "/"} for name, value in self.secrets.items()]
        content = json.dumps({"secrets": entries, "imports": []}).encode()
        tag = f'"{sha256(content).hexdigest()}"'
        if headers.get("if-none-match") == tag:
            return 304, {"etag": tag}, b""
        return 200, {} if self.trouble == "untagged" else {"etag": tag}, content

    def end_tokens(self) -> None:
        """Refuse every token that was given so far."""
        self.tokens += 1


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Serve until the end of the block."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(size)) if size else {}
            status, headers, content = stand_in.answer(self.command, self.path, self.headers, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            with suppress(OSError):  # of one that did not wait for it
                self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        stand_in.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield stand_in
        finally:
            stand_in.let_go.set()
            server.shutdown()
            thread.join()
