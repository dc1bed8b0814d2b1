"""The real HTTP client against small servers that behave badly, each on a socket of its own."""

import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from keyturn import __version__
from keyturn.client.domain import Outage
from keyturn.client.transport import Http
from keyturn.errors import Misconfigured
from keyturn.ports.http import HttpRequest, TransportFailed
from keyturn.providers.transport import RESPONSE_LIMIT, HttpTransport

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Behaviour = Callable[[socket.socket, bytes], None]


class Peer:
    """What a server saw."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self.accepted: list[socket.socket] = []

    def hang_up(self) -> None:
        """End the reads of connections that are still open."""
        for connection in self.accepted:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """A server that reads one request per connection and then behaves."""
    peer = Peer()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer.port = listener.getsockname()[1]
        thread = threading.Thread(target=_accept, args=(listener, behave, tls, peer), daemon=True)
        thread.start()
        yield peer
        listener.shutdown(socket.SHUT_RDWR)
        peer.hang_up()
    thread.join(60)


def _accept(listener: socket.socket, behave: Behaviour, tls: ssl.SSLContext | None, peer: Peer) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        try:
            with tls.wrap_socket(plain, server_side=True) if tls else plain as connection:
                peer.accepted.append(connection)
                while request := _request(connection):
                    peer.requests.append(request)
                    behave(connection, request)
        except OSError:
            continue


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


def answering(*answers: bytes) -> Behaviour:
    """Send the answers in turn, one for each request."""
    rest = iter(answers)
    return lambda connection, _: connection.sendall(next(rest))


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    http = HttpTransport()
    yield http
    http.close()


def get(transport: HttpTransport, peer: Peer, seconds: float = 5.0) -> str:
    url = f"http://127.0.0.1:{peer.port}/"
    return transport.send(HttpRequest("GET", url, timeout=timedelta(seconds=seconds))).body.decode()


def failure(transport: HttpTransport, request: HttpRequest) -> TransportFailed:
    with pytest.raises(TransportFailed) as caught:
        transport.send(request)
    return caught.value


def test_it_says_who_it_is_and_keeps_the_connection(transport: HttpTransport) -> None:
    with serving(answering(OK, OK)) as peer:
        assert [get(transport, peer), get(transport, peer)] == ["ok", "ok"]
    assert f"user-agent: keyturn/{__version__}".encode() in peer.requests[0].lower()


def test_redirects_are_answers_like_any_other(transport: HttpTransport) -> None:
    redirect = b"HTTP/1.1 302 Found\r\nlocation: https://evil.test/\r\ncontent-length: 0\r\n\r\n"
    with serving(answering(redirect)) as peer:
        response = transport.send(HttpRequest("GET", f"http://127.0.0.1:{peer.port}/"))
    assert (response.status, response.headers["location"]) == (302, "https://evil.test/")


def test_cookies_are_never_sent_back(transport: HttpTransport) -> None:
    """Entra's cookies pin a client to one replica."""
    cookie = b"HTTP/1.1 200 OK\r\nset-cookie: stsservicecookie=estsfd; path=/\r\ncontent-length: 2\r\n\r\nok"
    with serving(answering(cookie, OK)) as peer:
        get(transport, peer)
        get(transport, peer)
    assert b"cookie" not in peer.requests[1].lower()


def test_compressed_answers_are_opened(transport: HttpTransport) -> None:
    body = gzip.compress(b'{"value": []}')
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with serving(answering(head + body)) as peer:
        assert get(transport, peer) == '{"value": []}'


def test_an_answer_that_swells_beyond_the_limit_is_dropped(transport: HttpTransport) -> None:
    body = gzip.compress(b"x" * (RESPONSE_LIMIT + 1))
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with serving(answering(head + body, head + body)) as peer:
        request = HttpRequest("GET", f"http://127.0.0.1:{peer.port}/")
        error, answer = failure(transport, request), transport.send(replace(request, status_only=True))
    assert (error.sent, answer.status, answer.body) == (True, 200, b""), "of which nothing but the status is looked at"
    assert "larger than" in str(error)


def test_an_answer_that_drips_ends_at_the_deadline() -> None:
    """Each byte arrives in time for a single read; only the whole takes too long."""
    ticks = iter(range(0, 1000, 4))
    transport = HttpTransport(monotonic=lambda: next(ticks))
    drip = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50

    def behave(connection: socket.socket, _: bytes) -> None:
        for start in range(0, len(drip), 6):
            connection.sendall(drip[start : start + 6])

    with serving(behave) as peer:
        error = failure(transport, HttpRequest("GET", f"http://127.0.0.1:{peer.port}/", timeout=timedelta(seconds=10)))
    assert error.sent
    assert "in time" in str(error)
    transport.close()


HEADERS = b"HTTP/1.1 200 OK\r\n" + b"x-more: 1\r\n" * 1000


def drip(connection: socket.socket, _: bytes) -> None:
    """Send a byte now and then, each in time for a single read, and never come to the end of the headers."""
    with suppress(OSError):
        for start in range(len(HEADERS)):
            connection.sendall(HEADERS[start : start + 1])
            time.sleep(0.02)


@pytest.mark.parametrize("tls", [False, True])
def test_headers_that_drip_end_at_the_deadline(authority: trustme.CA, tls: bool, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with serving(drip, tls_of(authority) if tls else None) as peer:
        transport, began = HttpTransport(ca_file=ca_file), time.monotonic()
        url = f"{'https' if tls else 'http'}://127.0.0.1:{peer.port}"
        error = failure(transport, HttpRequest("GET", url, timeout=timedelta(seconds=1)))
        transport.close()
        client = Http(url, ca_file, seconds=1)
        with pytest.raises(Outage, match="did not answer in time"):
            client.send("GET", "/api/status")
        client.close()
        assert time.monotonic() - began < 30
    assert error.sent


def test_the_answer_of_a_proxy_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(drip) as peer:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{peer.port}")
        transport, began = HttpTransport(), time.monotonic()
        failure(transport, HttpRequest("GET", "https://graph.test/v1.0", timeout=timedelta(seconds=0.3)))
        transport.close()
        assert time.monotonic() - began < 30
    assert peer.requests[0].startswith(b"CONNECT graph.test:443")


def test_an_address_that_is_silent_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch, transport: HttpTransport
) -> None:
    with serving(answering(OK)) as peer, socket.socket() as full:
        full.bind(("127.0.0.2", peer.port))
        full.listen(0)
        waiting = [socket.socket() for _ in range(2)]
        for each in waiting:  # its queue is full: it lets further connections wait
            each.setblocking(False)
            each.connect_ex(("127.0.0.2", peer.port))
        found = [(2, 1, 6, "", (address, peer.port)) for address in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *_, **__: [e for e in found if host in {"two.test", e[4][0]}]
        )
        request = HttpRequest("GET", f"http://two.test:{peer.port}/", timeout=timedelta(seconds=2))
        assert transport.send(request).body == b"ok"
        for each in waiting:
            each.close()


def reset(connection: socket.socket, _: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def silence(connection: socket.socket, _: bytes) -> None:
    connection.recv(1)


@pytest.mark.parametrize(
    "behave",
    [
        reset,
        lambda connection, _: connection.close(),
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this"),
        answering(b"SSH-2.0-nonsense\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain"),
    ],
    ids=["reset", "closed", "cut short", "not http", "not gzip"],
)
def test_whatever_breaks_after_sending_may_have_arrived(transport: HttpTransport, behave: Behaviour) -> None:
    def once(connection: socket.socket, request: bytes) -> None:
        behave(connection, request)
        connection.close()

    with serving(once) as peer:
        url = f"http://127.0.0.1:{peer.port}/"
        error = failure(transport, HttpRequest("POST", url, {"authorization": "Bearer canary"}, b"canary"))
    assert error.sent
    assert "canary" not in str(error)


def test_a_silent_server_is_left_after_the_timeout(transport: HttpTransport) -> None:
    with serving(silence) as peer:
        url = f"http://127.0.0.1:{peer.port}/"
        error = failure(transport, HttpRequest("GET", url, timeout=timedelta(milliseconds=50)))
    assert error.sent
    assert str(error) in {"read timeout", "the response did not end in time"}


@pytest.mark.parametrize("host", ["a..test", f"{'a' * 64}.test"])
def test_what_is_no_name_of_a_host_is_said_so(transport: HttpTransport, host: str) -> None:
    error = failure(transport, HttpRequest("GET", f"http://{host}/"))
    assert (error.sent, str(error)) == (False, "cannot connect: the address has no name of a host")
    client = Http(f"http://{host}", None)
    with pytest.raises(Outage, match=f"http://{host} cannot be reached: it has no name of a host"):
        client.send("GET", "/api/status")
    client.close()


def test_nothing_listens_nothing_was_sent(transport: HttpTransport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error, client = failure(transport, HttpRequest("POST", f"{url}/", body=b"x")), Http(url)
        with pytest.raises(Outage, match=f"^{url} cannot be reached: Connection refused$"):
            client.send("GET", "/")
    client.close()
    assert (error.sent, str(error)) == (False, "cannot connect: Connection refused")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://[bad", "not a url", "http://127.0.0.1:99999/"])
def test_an_address_that_is_none_was_not_sent_to(transport: HttpTransport, url: str) -> None:
    assert not failure(transport, HttpRequest("GET", url)).sent


def test_an_unusable_header_is_not_repeated_in_the_error(transport: HttpTransport) -> None:
    with serving(answering(OK)) as peer:
        url = f"http://127.0.0.1:{peer.port}/"
        error = failure(transport, HttpRequest("GET", url, {"authorization": "Bearer canary\r\nx: y"}))
    assert "canary" not in str(error)


def test_the_guard_stops_a_request_before_it_is_sent() -> None:
    def refuse() -> None:
        raise RuntimeError("a transaction is open")

    transport = HttpTransport(guard=refuse)
    with serving(answering(OK)) as peer:
        with pytest.raises(RuntimeError, match="transaction"):
            get(transport, peer)
        assert peer.requests == []
    transport.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_of(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_private_authority_is_trusted_only_when_named(authority: trustme.CA, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    trusting, plain = HttpTransport(ca_file=ca_file), HttpTransport()
    with serving(answering(OK), tls_of(authority)) as peer:
        url = f"https://127.0.0.1:{peer.port}/"
        refused = failure(plain, HttpRequest("GET", url))
        client = Http(url.removesuffix("/"))
        with pytest.raises(Outage, match="cannot be reached: its certificate is not trusted") as untrusted:
            client.send("GET", "/")
        assert trusting.send(HttpRequest("GET", url)).status == 200
    assert not refused.sent
    assert str(refused).startswith("cannot connect: its certificate is not trusted (")
    assert untrusted.value.fix is not None
    assert "KEYTURN_SERVER_CA_FILE" in untrusted.value.fix
    for each in (trusting, plain, client):
        each.close()


def test_an_authority_that_was_named_is_trusted_although_its_file_is_gone(
    authority: trustme.CA, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes("# of the proxy in Tromsø\n".encode() + authority.cert_pem.bytes())
    transport = HttpTransport(ca_file=ca_file)
    ca_file.unlink()
    with serving(answering(OK), tls_of(authority)) as peer:
        assert transport.send(HttpRequest("GET", f"https://127.0.0.1:{peer.port}/")).status == 200
    transport.close()


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_an_unusable_authority_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"ca\.pem"):
        HttpTransport(ca_file=ca_file)


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering(OK)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        transport = HttpTransport()
        assert transport.send(HttpRequest("GET", "http://graph.test/v1.0")).body == b"ok"
        transport.close()
    assert proxy.requests[0].startswith(b"GET http://graph.test/v1.0 HTTP/1.1")


@pytest.mark.parametrize(
    ("answer", "expected", "status"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "asks for a user name", 407),
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "does not permit this address", 403),
        (b"HTTP/1.1 502 canary\r\ncontent-length: 0\r\n\r\n", "refused with status 502", 502),
    ],
)
def test_what_a_proxy_refuses_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, expected: str, status: int
) -> None:
    with serving(answering(answer)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://someone:canary@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        transport = HttpTransport()
        with pytest.raises(TransportFailed, match=expected) as caught:
            transport.send(HttpRequest("GET", "https://graph.test/v1.0"))
        transport.close()
    assert (caught.value.proxy_status, caught.value.sent) == (status, False)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://user:canary@127.0.0.1:1080",
        "'http://user:canary@127.0.0.1:3128'",
        "ftp://127.0.0.1:21",
        "http://127.0.0.1:port",
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    transport = HttpTransport()
    error = failure(transport, HttpRequest("GET", "https://graph.test/v1.0"))
    assert "HTTPS_PROXY" in str(error)
    assert "canary" not in str(error)
    assert not error.sent
    with pytest.raises(Outage, match="HTTPS_PROXY") as caught:
        Http("https://keyturn.test").send("GET", "/api/status")
    assert "canary" not in str(caught.value)
