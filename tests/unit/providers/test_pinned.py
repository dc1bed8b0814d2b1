"""Calls to hosts that users name: only to public addresses, unless the operator lists others, and never for long."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network

import pytest
import trustme

from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed
from keyturn.providers.pinned import RESPONSE_LIMIT, PinnedTransport, may_be_called, why_not_called
from tests.unit.providers.test_transport import OK, serving

NAME = "issuer.example.com"
LOOPBACK = (ip_network("127.0.0.0/8"),)
WHERE = "of the public internet and in no network of THE_SETTING"
CA = trustme.CA()
PEM = CA.cert_pem.bytes().decode()


def tls(*names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert(*names).configure_cert(context)
    return context


TLS = tls(NAME)


def answering(answer: bytes) -> Callable[[socket.socket, bytes], None]:
    return lambda connection, _: connection.sendall(answer)


def transport(*addresses: str, networks: tuple[object, ...] = LOOPBACK) -> PinnedTransport:
    return PinnedTransport(networks=networks, resolve=lambda *_: list(addresses or ["127.0.0.1"]))  # type: ignore[arg-type]


def get(
    port: int, over: PinnedTransport | None = None, *, name: str = NAME, ca: str = PEM, seconds: float = 5
) -> HttpResponse:
    request = HttpRequest("GET", f"https://{name}:{port}/keys?a=b", timeout=timedelta(seconds=seconds))
    return (over or transport()).send(request, ca=ca)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.0.0.5",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.1",
        "192.0.0.192",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.7",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.5",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::a00:5",
        "64:ff9b:1::a00:5",
        "::10.0.0.5",
        "::ffff:0:10.0.0.5",
        "fec0::1",
        "3fff::1",
        "5f00::1",
        "2001:db8::1",
    ],
)
def test_addresses_that_are_not_of_the_public_internet_are_not_called(address: str) -> None:
    assert not may_be_called(address, ())


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "140.82.112.3", "2606:4700::1111", "64:ff9b::808:808", "::ffff:1.1.1.1"]
)
def test_public_addresses_are_called(address: str) -> None:
    assert may_be_called(address, ())


def test_listed_networks_are_called_also_in_the_other_spelling() -> None:
    networks = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("168.63.129.16/32"))
    assert all(may_be_called(each, networks) for each in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::7", "168.63.129.16"))
    assert not may_be_called("192.168.1.1", networks)


def test_a_host_is_called_by_its_name_at_its_address() -> None:
    with serving(answering(OK), TLS) as peer:
        answer = get(peer.port)
    assert (answer.status, answer.body) == (200, b"ok")
    head, *lines = peer.requests[0].decode().lower().split("\r\n")
    assert head == "get /keys?a=b http/1.1"
    assert f"host: {NAME}:{peer.port}" in lines
    assert "accept-encoding: identity" in lines


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::1"]])
def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(addresses: list[str]) -> None:
    with serving(answering(OK), TLS) as peer:
        over = PinnedTransport(resolve=lambda *_: addresses)
        with pytest.raises(TransportFailed, match="KEYTURN_IDENTITY_NETWORKS") as refusal:
            get(peer.port, over)
    assert not peer.accepted
    assert not refusal.value.sent


def test_an_address_in_the_place_of_a_name_is_judged_too() -> None:
    for name in ("127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"):
        with pytest.raises(TransportFailed, match=r"KEYTURN_IDENTITY_NETWORKS|cannot connect"):
            get(443, PinnedTransport(), name=name)


@pytest.mark.parametrize(
    ("host", "addresses", "told"),
    [
        ("hooks.example.test", ["1.1.1.1"], ""),
        ("hooks.example.test", [], "hooks.example.test has no address"),
        ("hooks.example.test", ["1.1.1.1", "10.0.0.5"], f"hooks.example.test has the address 10.0.0.5, which is not one {WHERE}"),
        ("127.1", ["127.0.0.1"], f"127.1 has the address 127.0.0.1, which is not one {WHERE}"),
        *((host, [host], f"{host} is no address {WHERE}") for host in ("127.0.0.1", "::1", "::ffff:10.0.0.5", "fe80::1%eth0")),
    ],
)  # fmt: skip
def test_why_a_host_is_not_called_is_said_of_a_name_and_of_an_address(
    host: str, addresses: list[str], told: str
) -> None:
    assert why_not_called(host, addresses, (), "THE_SETTING") == told


def test_a_name_is_resolved_once_so_it_cannot_lead_elsewhere_afterwards() -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    with serving(answering(OK), TLS) as peer:
        assert get(peer.port, PinnedTransport(networks=LOOPBACK, resolve=lambda *_: next(answers))).status == 200
    assert next(answers) == ["169.254.169.254"]


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    with serving(answering(OK), TLS) as peer:
        assert get(peer.port, transport("127.0.0.99", "127.0.0.1")).status == 200


def test_certificates_are_checked_for_name_and_trust() -> None:
    with serving(answering(OK), TLS) as peer:
        with pytest.raises(TransportFailed, match="certificate is not trusted"):
            get(peer.port, name="other.example.com")
        with pytest.raises(TransportFailed, match="certificate is not trusted"):
            get(peer.port, ca="")
        with pytest.raises(TransportFailed, match="certificate is not trusted"):
            get(peer.port, ca=trustme.CA().cert_pem.bytes().decode())
    assert not peer.requests


def test_redirects_are_answers_and_are_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: https://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
    with serving(answering(moved), TLS) as peer:
        assert get(peer.port).status == 302
    assert len(peer.requests) == 1


def test_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with serving(answering(OK), TLS) as peer:
        assert get(peer.port).status == 200


def test_large_and_compressed_answers_are_refused() -> None:
    large = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (RESPONSE_LIMIT + 1)
    bomb = gzip.compress(b"x" * 1000)
    packed = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb
    for answer, words in ((large, "more than"), (packed, "compressed")):
        with serving(answering(answer), TLS) as peer, pytest.raises(TransportFailed, match=words):
            get(peer.port)


def test_a_status_counts_whatever_follows_it_where_nothing_else_is_looked_at() -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (RESPONSE_LIMIT + 1)
    packed = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\n\r\nno gzip"
    for behave in (answering(endless), answering(packed), _slow_body):
        with serving(behave, TLS) as peer:
            request = HttpRequest("POST", f"https://{NAME}:{peer.port}/", body=b"{}", status_only=True)
            answer = transport().send(request, ca=PEM)
        assert (answer.status, answer.body) == (200, b"")
    with serving(_slow_head, TLS) as peer:
        late = HttpRequest("POST", f"https://{NAME}:{peer.port}/", timeout=timedelta(seconds=0.3), status_only=True)
        with pytest.raises(TransportFailed, match="did not answer in time"):
            transport().send(late, ca=PEM)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"])
def test_half_an_answer_is_none(answer: bytes) -> None:
    def cut(connection: socket.socket, _: bytes) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    with serving(cut, TLS) as peer, pytest.raises(TransportFailed, match="gave no answer") as failure:
        get(peer.port)
    assert failure.value.sent


def _drip(connection: socket.socket, piece: bytes) -> None:
    while True:
        try:
            connection.sendall(piece)
        except OSError:
            return
        time.sleep(0.02)


def _slow_body(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    _drip(connection, b"x")


def _slow_head(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
    _drip(connection, b"x")


def _silent(connection: socket.socket, _: bytes) -> None:
    connection.recv(1)


@pytest.mark.parametrize("behave", [_slow_body, _slow_head, _silent])
def test_a_host_that_is_slow_holds_nobody_for_long(behave: Callable[[socket.socket, bytes], None]) -> None:
    begun = time.monotonic()
    with serving(behave, TLS) as peer, pytest.raises(TransportFailed, match="did not answer in time"):
        get(peer.port, seconds=0.4)
    assert time.monotonic() - begun < 30


def test_a_host_that_never_greets_holds_nobody_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begun = time.monotonic()
        with pytest.raises(TransportFailed, match="cannot connect"):
            get(listener.getsockname()[1], seconds=0.3)
        assert time.monotonic() - begun < 30


def test_a_name_server_that_is_slow_holds_nobody_for_long() -> None:
    go = threading.Event()

    def slow(*_: object) -> list[str]:
        go.wait(30)
        return ["127.0.0.1"]

    with pytest.raises(TransportFailed, match="not resolved in time"):
        get(443, PinnedTransport(networks=LOOPBACK, resolve=slow), seconds=0.1)
    go.set()


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example.com/",
        "https://user@issuer.example.com/",
        "https:///keys",
        "https://issuer.example.com:99999/",
        "https://issuer.example.com/a b",
        "https://issuer.example.com/\r\nx: y",
        "https://bücher.example.com/",
        "ftp://issuer.example.com/",
        "",
    ],
)
def test_only_plain_https_addresses_are_called(url: str) -> None:
    with pytest.raises(TransportFailed):
        transport().send(HttpRequest("GET", url))


def test_the_guard_may_keep_a_call_from_being_made() -> None:
    def guard() -> None:
        raise RuntimeError("a network call inside a database transaction")

    over = PinnedTransport(guard=guard, resolve=lambda *_: pytest.fail("resolved"))
    with pytest.raises(RuntimeError, match="inside a database transaction"):
        get(443, over)
