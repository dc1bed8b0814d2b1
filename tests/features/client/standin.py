"""A server that can be made to fail in every way in which servers, and what stands before them, do fail."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

SECRET = "kt-client-secret-canary"


@dataclass
class StandIn:
    """Serves one folder. ``trouble`` says what is wrong; ``asked`` are the requests, as method and path."""

    url: str = ""
    secrets: dict[str, str] = field(default_factory=lambda: {"API_KEY": "one"})
    trouble: str = ""
    retry_after: str = "40"
    """What a busy server asks for."""
    asked: list[str] = field(default_factory=list)
    tokens: int = 0
    platform_token: str = ""
    """Another way to sign in."""
    headers: dict[str, str] = field(default_factory=dict)
    """What each answer to a read carries besides."""
    comment: str = ""
    """Part of each answer, and nothing that a program is given."""
    knows_waiting: bool = False
    waited: list[int] = field(default_factory=list)
    """For how long each read asked to wait; 0: not at all."""
    readers: list[dict[str, str]] = field(default_factory=list)
    """What each read said of the program for which it was."""
    in_use: list[dict[str, Any]] = field(default_factory=list)
    """What was acknowledged by requests of its own."""
    let_go: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Be a server of before, with one secret."""
        self.secrets, self.trouble, self.headers, self.knows_waiting = {"API_KEY": "one"}, "", {}, False
        self.comment, self.retry_after = "", "40"
        for each in (self.asked, self.waited, self.readers, self.in_use):
            each.clear()

    @property
    def reads(self) -> int:
        return len([each for each in self.asked if each == "GET /api/v4/secrets"])

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, dict[str, str], bytes]:
        path, _, query = path.partition("?")
        self.asked.append(f"{method} {path}")
        if self.trouble == "silent":
            self.let_go.wait(30)
        if self.trouble in {"500", "502", "429"}:
            return int(self.trouble), {"retry-after": self.retry_after}, b"<html>busy</html>"
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
        if path == "/api/v1/delivery/in-use":
            return self._in_use(body)
        return self._list(headers, int(parse_qs(query).get("wait", ["0"])[0]))

    def _in_use(self, body: Any) -> tuple[int, dict[str, str], bytes]:
        if not self.knows_waiting:
            shape = {"reqId": "req-4", "statusCode": 404, "message": "Route not found.", "error": "NotFound"}
            return 404, {}, json.dumps(shape).encode()
        self.in_use.append(body)
        return 204, {}, b""

    def _login(self, body: Any) -> tuple[int, dict[str, str], bytes]:
        if body.get("clientSecret") != SECRET and (not self.platform_token or body.get("jwt") != self.platform_token):
            shape = {"reqId": "req-3", "statusCode": 401, "message": "Invalid credentials.", "error": "Unauthorized"}
            return 401, {}, json.dumps(shape).encode()
        self.tokens += 1
        return 200, {}, json.dumps({"accessToken": f"token-{self.tokens}", "expiresIn": 3600}).encode()

    def _list(self, headers: Any, wait: int) -> tuple[int, dict[str, str], bytes]:
        self.waited.append(wait)
        self.readers.append({name: value for name, value in headers.items() if name.lower().startswith("x-keyturn-")})
        until = time.monotonic() + wait
        while True:
            tag, content = self._content()
            unchanged = headers.get("if-none-match") == tag
            if not unchanged or not wait or not self.knows_waiting or time.monotonic() >= until:
                break
            if self.trouble == "cuts":
                raise ConnectionAbortedError
            time.sleep(0.01)
        carried = {"etag": tag, **self.headers}
        if unchanged:
            return 304, carried, b""
        return 200, {} if self.trouble == "untagged" else carried, content

    def _content(self) -> tuple[str, bytes]:
        items = enumerate(self.secrets.items(), 1)
        entries = [
            {
                "secretKey": name,
                "secretValue": value,
                "secretPath": "/",
                "version": version,
                "secretComment": self.comment,
            }
            for version, (name, value) in items
        ]
        content = json.dumps({"secrets": entries, "imports": []}).encode()
        return f'"{sha256(content).hexdigest()}"', content

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
            try:
                status, headers, content = stand_in.answer(self.command, self.path, self.headers, body)
            except ConnectionAbortedError:
                self.close_connection = True  # as a proxy ends what takes it too long
                return
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
