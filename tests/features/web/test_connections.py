"""Connections that say nothing, and compartments for what is slow: neither may become everybody's trouble."""

import ipaddress
import queue
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from keyturn.errors import Unavailable, busy
from keyturn.kit import bulkhead
from keyturn.kit.bulkhead import Bulkhead
from keyturn.web.routes import get, group
from keyturn.web.schema.wire import ApiModel
from keyturn.web.server.connections import Peer, QuietLimits, Traffic, descriptors, to_end
from keyturn.web.server.serve import Limits, WebServer
from tests.features.web import things

LIMITS = QuietLimits(first_request=5, idle=75, per_network=3)
PROXY = ipaddress.ip_network("10.0.0.0/8")


class Done(ApiModel):
    ok: bool


def peers(address: str, count: int) -> list[Peer]:
    return [(address, 1000 + number) for number in range(count)]


def test_a_connection_gets_five_seconds_for_its_first_request_and_longer_between_two() -> None:
    silent, idle = peers("192.0.2.1", 2)
    since = {silent: 100.0, idle: 100.0}
    served = {idle: 100.0}
    assert to_end(since, served, 105.0, LIMITS, ()) == {}
    assert to_end(since, served, 105.1, LIMITS, ()) == {silent: None}
    assert to_end(since, served, 175.1, LIMITS, ()) == {silent: None, idle: None}


def test_a_network_keeps_its_share_of_quiet_connections_the_newest_ones() -> None:
    first, other = peers("192.0.2.1", 5), peers("192.0.2.2", 3)
    since = {peer: 100.0 + number / 10 for number, peer in enumerate([*first, *other])}
    assert to_end(since, {}, 102.0, LIMITS, ()) == dict.fromkeys(first[:2], "192.0.2.1")
    six = [(f"2001:db8:0:1::{number}", 1) for number in range(1, 6)]
    ended = to_end(dict.fromkeys(six, 100.0), {}, 101.0, LIMITS, ())
    assert ended == dict.fromkeys(six[:2], "2001:db8:0:1::/64"), "a /64 counts as one"


def test_connections_that_came_this_moment_are_not_counted_and_idle_ones_are() -> None:
    crowd = dict.fromkeys(peers("192.0.2.1", 500), 100.0)
    assert to_end(crowd, {}, 100.9, LIMITS, ()) == {}, "a node whose pods start together: their requests are on the way"
    assert len(to_end(crowd, {}, 101.0, LIMITS, ())) == 497
    assert len(to_end(crowd, crowd, 100.9, LIMITS, ())) == 497


def test_a_proxy_that_is_trusted_stands_for_many() -> None:
    since = dict.fromkeys(peers("10.0.0.1", 50), 100.0)
    assert to_end(since, {}, 101.0, LIMITS, (PROXY,)) == {}
    assert to_end(since, {}, 106.0, LIMITS, (PROXY,)) == dict.fromkeys(since), "silence ends there, too"


@contextmanager
def watched(limits: Limits, *extra: Any, health_port: int | None = None) -> Iterator[WebServer]:
    app = things.application()
    for router in extra:
        app.add(router)
    traffic: Traffic = app.traffic
    server = WebServer(app, host="127.0.0.1", port=0, limits=limits, traffic=traffic, health_port=health_port)
    ready: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(target=server.run, args=(ready.put,))
    thread.start()
    try:
        ready.get(timeout=60)
        yield server
    finally:
        server.stop()
        thread.join(timeout=60)
        assert not thread.is_alive()


def connected(server: WebServer, data: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.sendall(data)
    return connection


def test_silent_connections_are_ended_and_those_with_a_request_under_way_are_not() -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    @get("/slow", public=True)
    def wait() -> Done:
        entered.release()
        return Done(leave.wait(60))

    limits = Limits(header_timeout=timedelta(seconds=0.2), quiet_per_network=4, grace=timedelta(seconds=30))
    with watched(limits, group("Slow", wait)) as server, ExitStack() as closing:
        request = b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        waiting = [closing.enter_context(connected(server, request)) for _ in range(8)]
        for _ in waiting:
            assert entered.acquire(timeout=60)
        silent = [closing.enter_context(connected(server)) for _ in range(20)]
        half = closing.enter_context(connected(server, b"GET /slow HTTP/1.1\r\nhost:"))
        for connection in (*silent, half):
            assert connection.recv(100) == b"", "it was ended without an answer"
        leave.set()
        for connection in waiting:
            assert b" 200 " in connection.recv(65536).splitlines()[0]


def test_more_connections_are_accepted_than_requests_are_served() -> None:
    with (
        watched(Limits(header_timeout=timedelta(seconds=60), quiet_per_network=1000)) as server,
        ExitStack() as closing,
    ):
        for _ in range(600):
            closing.enter_context(connected(server))
        with urllib.request.urlopen(f"{server.url}/healthz", timeout=60) as answer:
            assert answer.status == 200


def test_probes_have_a_listener_of_their_own() -> None:
    with watched(Limits(), health_port=0) as server:
        url = f"http://127.0.0.1:{server.health_port}"
        for path in ("/healthz", "/readyz"):
            with urllib.request.urlopen(f"{url}{path}", timeout=60) as answer:
                assert answer.read().startswith(b'{"ok":true')
        for path in ("/", "/api/status", "/sign-in"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{url}{path}", timeout=60)


def test_connections_that_say_nothing_do_not_hold_the_listener_of_probes() -> None:
    with watched(Limits(), health_port=0) as server, ExitStack() as closing:
        address = ("127.0.0.1", server.health_port or 0)
        silent = [closing.enter_context(socket.create_connection(address, 60)) for _ in range(400)]
        with urllib.request.urlopen("http://127.0.0.1:{1}/healthz".format(*address), timeout=60) as answer:
            assert answer.status == 200
        assert silent[0].recv(1) == b"", "the oldest has made room"


def test_as_many_files_may_be_open_as_this_process_is_permitted() -> None:
    assert descriptors() >= 1024


def test_a_compartment_that_is_full_refuses_at_once_and_its_places_come_back() -> None:
    compartment = Bulkhead(lambda: busy("checking passwords"), places=1, waiting=1)
    entered, leave, done = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)

    def work() -> None:
        with compartment.place():
            entered.release()
            leave.wait(60)
        done.release()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert entered.acquire(timeout=60)
    while compartment._queue._value:
        threading.Event().wait(0.01)
    with pytest.raises(Unavailable, match="busy checking passwords") as caught, compartment.place():
        pass
    assert caught.value.retry_after > timedelta(0)
    leave.set()
    for _ in threads:
        assert done.acquire(timeout=60)
    with compartment.place():
        pass


def test_a_request_keeps_its_place_until_it_ends_and_work_outside_of_requests_needs_none() -> None:
    calls = Bulkhead(lambda: busy("waiting for Microsoft"), places=1, waiting=0)
    calls.hold()
    calls.hold()
    with bulkhead.request():
        calls.hold()
        calls.hold()
        refused = queue.Queue[Exception]()
        thread = threading.Thread(target=_other_request, args=(calls, refused))
        thread.start()
        thread.join(60)
        assert isinstance(refused.get(timeout=60), Unavailable)
    with bulkhead.request():
        calls.hold()


def _other_request(calls: Bulkhead, refused: queue.Queue[Exception]) -> None:
    try:
        with bulkhead.request():
            calls.hold()
    except Unavailable as error:
        refused.put(error)
