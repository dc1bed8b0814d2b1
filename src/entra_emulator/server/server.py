"""Serving an emulator over TLS: HTTP/1.1 on asyncio, with connections that fail as told."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import httptools
import trustme
import uvloop

from entra_emulator.core.wire import Request, Response
from entra_emulator.server.emulator import Emulator
from entra_emulator.server.state import StateFolder
from entra_emulator.sign_in import managed_identity

_LOG = logging.getLogger("entra_emulator")
_BODY_LIMIT = 8_000_000
_HEADER_LIMIT = 64_000
_REAL_NAMES = (
    "login.microsoftonline.com",
    "login.windows.net",  # asked by the CLI for Microsoft 365 11.11 (tenant id get), and by libraries of before MSAL
    "graph.microsoft.com",
    "management.azure.com",
    "*.vault.azure.net",
    "main.iam.ad.ext.azure.com",  # asked by azure-cli 2.91.0, role/custom.py (admin_consent)
)
_CALLED = {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::1": "[::1]", "::": "[::1]"}
"""By which name clients on this machine reach what listens on these addresses; of IPv6 alone, `localhost` may be IPv4."""
_TOO_LARGE = Response(413, (("Content-Type", "text/plain"), ("Connection", "close")), b"Payload Too Large")
_NOT_HERE = Response(404, (("Content-Type", "text/plain"),), b"Only managed identity is served without TLS.")
_MALFORMED = Response(400, (("Content-Type", "text/plain"), ("Connection", "close")), b"Bad Request")


@dataclass(frozen=True, slots=True)
class Running:
    """Where a served emulator is reached."""

    authority: str
    ca_file: str
    port: int
    metadata: str = ""
    """The base URL of managed identity's endpoints, without TLS; empty where they are not served."""
    identity_header: str = ""
    """What IDENTITY_HEADER is for callers of App Service's endpoint."""

    @property
    def graph(self) -> str:
        """The base URL of Graph."""
        return f"{self.authority}/v1.0"

    @property
    def admin(self) -> str:
        """The base URL of the admin API."""
        return f"{self.authority}/_emulator"


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A request with what its answer depends on: when it began, and what its client can read."""

    request: Request
    started: float
    keep: bool
    """Whether the connection stays open behind the answer."""
    chunks: bool
    """Whether the answer may come in chunks, which HTTP/1.0 does not know: RFC 9112, section 6.1."""


class _Connection(asyncio.Protocol):
    """One client connection. Requests are answered in order; nothing blocks while one is delayed."""

    def __init__(self, server: Server, *, plain: bool = False) -> None:
        self._server = server
        self._plain = plain
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[_Exchange] = deque()
        self._busy = False
        self._peer = ""
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._header_size = 0
        self._body: list[bytes] = []
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._server.connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._server.connections.discard(self)

    def close(self) -> None:
        """Drops the connection."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return  # the request is answered as if no other protocol had been offered, and the connection then closed
        except httptools.HttpParserError as error:
            self._refuse(_TOO_LARGE if isinstance(error.__context__, _TooLarge) else _MALFORMED)

    def on_url(self, url: bytes) -> None:
        self._count_header(len(url))
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_header(len(name) + len(value))
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if key in self._headers and key == "host":
            raise ValueError("several hosts")  # RFC 9112, section 3.2
        # Lines of one name are a list: RFC 9110, section 5.3.
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        if "expect" in self._headers and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > _BODY_LIMIT:
            raise _TooLarge
        self._body.append(body)

    def on_message_complete(self) -> None:
        host = self._headers.get("host", "")
        target = self._url.decode("latin-1")
        scheme = "http" if self._plain else "https"
        url = f"{scheme}://{host or self._server.address}{target}" if target.startswith("/") else target
        chunks = self._parser.get_http_version() != "1.0"
        keep = chunks and self._parser.should_keep_alive() and not self._parser.should_upgrade()
        method = self._parser.get_method().decode("ascii")
        request = Request(method, url, self._headers, b"".join(self._body), self._peer)
        self._waiting.append(_Exchange(request, time.time(), keep, chunks))
        self._begin()
        if not self._busy:
            self._next()

    def _count_header(self, size: int) -> None:
        self._header_size += size
        if self._header_size > _HEADER_LIMIT:
            raise _TooLarge

    def _next(self) -> None:
        if not self._waiting or self._transport is None:
            return
        self._busy = True
        exchange = self._waiting.popleft()
        request = exchange.request
        emulator = self._server.emulator
        if self._plain and not managed_identity.serves(urlsplit(request.url).path):
            self._answer(exchange, _NOT_HERE)
        elif emulator.asks_outside(request):
            work = asyncio.get_running_loop().run_in_executor(self._server.callers, emulator.handle, request)
            work.add_done_callback(lambda done: self._answer(exchange, done.result()))
        else:
            self._answer(exchange, emulator.handle(request))

    def _answer(self, exchange: _Exchange, response: Response) -> None:
        response = self._server.keep(exchange.request, response)
        if exchange.request.method == "HEAD":
            response = replace(response, body=b"")
        delay = response.delay + self._server.latency
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._send, exchange, response)
        else:
            self._send(exchange, response)

    def _send(self, exchange: _Exchange, response: Response) -> None:
        transport = self._transport
        self._server.emulator.served(response.sequence, exchange.started, time.time())
        if transport is None or response.wire.kind == "hang":
            return
        if response.wire.kind == "reset":
            _reset(transport)
            return
        chunked = exchange.chunks and bool(response.body) and response.header("OData-Version") is not None
        head = _head(response, keep=exchange.keep, chunked=chunked)
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(response.body), response.body) if chunked else response.body
        if response.wire.kind == "slow":
            transport.write(head)
            asyncio.get_running_loop().call_later(response.wire.seconds, self._finish, body, exchange.keep)
            return
        self._finish(head + body, exchange.keep)

    def _finish(self, data: bytes, keep: bool) -> None:
        if self._transport is None:
            return
        self._transport.write(data)
        if not keep:
            self._transport.close()
            return
        self._busy = False
        self._next()

    def _refuse(self, response: Response) -> None:
        if self._transport is not None:
            self._transport.write(_head(response, keep=False) + response.body)
            self._transport.close()
            self._transport = None


class _TooLarge(Exception):
    """More bytes than any client of this service sends."""


def _reset(transport: asyncio.Transport) -> None:
    """Ends the connection with RST: with a linger time of zero the kernel sends no FIN."""
    plain: socket.socket = transport.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _head(response: Response, *, keep: bool, chunked: bool = False) -> bytes:
    try:
        reason = HTTPStatus(response.status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {response.status} {reason}"]
    lines += [f"{name}: {_one_line(value)}" for name, value in response.headers]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif response.status != 204:
        lines.append(f"Content-Length: {len(response.body)}")
    if not keep and response.header("Connection") is None:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


class Server:
    """An emulator behind a TLS socket. `latency` seconds are added to every answer, without blocking the others."""

    def __init__(self, emulator: Emulator, *, latency: float = 0.0, state: StateFolder | None = None) -> None:
        self.emulator = emulator
        self.state = state
        self.host_names: tuple[str, ...] = ()
        """More names that its certificate covers."""
        self.latency = latency
        self.address = ""
        self.callers = ThreadPoolExecutor(8, "entra-emulator-issuers")
        self.connections: set[_Connection] = set()
        self._listeners: list[asyncio.Server] = []

    def keep(self, request: Request, response: Response) -> Response:
        """The answer, once what it tells is kept; a 500 that says why where that cannot be written, as does standard error."""
        if self.state is None:
            return response
        try:
            self.state.after(self.emulator, request, response)
        except OSError as error:
            reason = f"The state of entra-emulator cannot be kept: {error}"
            _LOG.error(reason)
            return Response(500, (("Content-Type", "text/plain"),), reason.encode(), sequence=response.sequence)
        return response

    async def start(self, host: str, port: int, ca_file: Path, metadata_port: int | None = None) -> Running:
        """Listens, and writes the certificate of its authority to `ca_file`. Raises OSError if it cannot.

        With a `metadata_port` (0 takes a free one) it serves managed identity's endpoints there, without TLS, and nothing else.
        """
        authority = self.state.authority() if self.state else trustme.CA(organization_name="entra-emulator")
        context = _tls(authority, host, self.host_names, ca_file)
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: _Connection(self), host, port, ssl=context, backlog=1024)
        self._listeners.append(listener)
        bound_port = int(listener.sockets[0].getsockname()[1])
        hostname = _CALLED.get(host) or (f"[{host}]" if ":" in host else host)
        self.address = f"{hostname}:{bound_port}"
        metadata = ""
        if metadata_port is not None:
            plain = await loop.create_server(lambda: _Connection(self, plain=True), host, metadata_port)
            self._listeners.append(plain)
            metadata = f"http://{hostname}:{plain.sockets[0].getsockname()[1]}"
        return Running(f"https://{self.address}", str(ca_file), bound_port, metadata, self.emulator.identity_header)

    async def stop(self) -> None:
        """Stops listening and drops all connections, hanging ones too."""
        for listener in self._listeners:
            listener.close()
        self.callers.shutdown(wait=False, cancel_futures=True)
        for connection in list(self.connections):
            connection.close()
        await asyncio.sleep(0)


def _tls(authority: trustme.CA, host: str, host_names: tuple[str, ...], ca_file: Path) -> ssl.SSLContext:
    own = () if host in _CALLED else (host,)
    leaf = authority.issue_cert(*dict.fromkeys(("localhost", "127.0.0.1", "::1", *_REAL_NAMES, *host_names, *own)))
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    context.set_alpn_protocols(["http/1.1"])
    return context


@contextmanager
def run_in_thread(
    emulator: Emulator,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ca_file: Path | None = None,
    latency: float = 0.0,
    metadata_port: int | None = None,
) -> Iterator[Running]:
    """Serves an emulator from a thread of its own until the block ends; then all connections are dropped.

    Without `ca_file` the authority's certificate lies in a temporary directory that goes with the block.
    """
    with tempfile.TemporaryDirectory(prefix="entra-emulator-") as folder:
        server = Server(emulator, latency=latency)
        loop = uvloop.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="entra-emulator", daemon=True)
        thread.start()
        try:
            starting = server.start(host, port, ca_file or Path(folder) / "ca.pem", metadata_port)
            yield asyncio.run_coroutine_threadsafe(starting, loop).result(30)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(30)
            loop.close()
