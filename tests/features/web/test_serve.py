"""The real server, in a thread of this process, spoken to through sockets."""

import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest

from keyturn.errors import Misconfigured
from keyturn.kit.clock import SystemClock
from keyturn.web.ratelimit import Limiter
from keyturn.web.routes import Routes, get, group
from keyturn.web.schema.wire import ApiModel
from keyturn.web.server.serve import Limits, WebServer
from tests.features.web import things

PATIENT = Limits(header_timeout=timedelta(seconds=3), grace=timedelta(seconds=10))
HURRIED = Limits(header_timeout=timedelta(seconds=0.4), grace=timedelta(seconds=10))


class Done(ApiModel):
    ok: bool


@contextmanager
def running(*extra: Routes, limits: Limits = PATIENT) -> Iterator[WebServer]:
    app = things.application(Limiter(SystemClock(), per_minute=60), body_timeout=limits.header_timeout)
    for router in extra:
        app.add(router)
    server = WebServer(app, host="127.0.0.1", port=0, limits=limits)
    ready: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(target=server.run, args=(ready.put,))
    thread.start()
    try:
        assert ready.get(timeout=20) == server.url
        yield server
    finally:
        server.stop()
        thread.join(timeout=30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    with running() as server_with_defaults:
        yield server_with_defaults


@pytest.fixture(scope="module")
def hurried() -> Iterator[WebServer]:
    with running(limits=HURRIED) as impatient_server:
        yield impatient_server


def exchange(server: WebServer, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(data)
        received = b""
        with suppress(ConnectionResetError):
            while part := connection.recv(65536):
                received += part
        return received


def test_port_zero_tells_its_number_and_ready_means_answering(server: WebServer) -> None:
    assert server.port > 0
    with urllib.request.urlopen(f"{server.url}/healthz", timeout=10) as answer:
        assert json.load(answer) == {"ok": True}


def test_delete_with_a_body_arrives(server: WebServer) -> None:
    head = f"DELETE /api/v1/things/{things.UUID} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {things.TOKEN}\r\n"
    answer = exchange(server, f"{head}connection: close\r\ncontent-length: 7\r\n\r\n".encode() + b'{"a":1}')
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["what"]["data"] == {"a": 1}


def test_a_client_that_sends_its_headers_slowly_is_cut_off(hurried: WebServer) -> None:
    assert exchange(hurried, b"GET /healthz HTTP/1.1\r\nhost:") == b""


def test_a_client_that_sends_its_body_slowly_gets_408(hurried: WebServer) -> None:
    answer = exchange(
        hurried, b"POST /api/v1/anything HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{"
    )
    assert b" 408 " in answer.splitlines()[0]
    assert b"RequestTimeout" in answer


@pytest.mark.parametrize("length", ["content-length: 2000000", "transfer-encoding: chunked"])
def test_a_large_body_gets_413(server: WebServer, length: str) -> None:
    head = f"POST /api/v1/anything HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{length}\r\n\r\n".encode()
    body = b"10000\r\n" + b"x" * 0x10000 + b"\r\n" if "chunked" in length else b"x" * 0x10000
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(head)
        with suppress(ConnectionError):
            for _ in range(17):
                connection.sendall(body)
        assert b" 413 " in connection.recv(65536).splitlines()[0]


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 200_000 + b"\r\n\r\n",
        b"POST /api/v1/anything HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /api/v1/anything HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 1\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_what_is_no_http_does_not_disturb_the_server(server: WebServer, data: bytes) -> None:
    assert b" 200 " not in (exchange(server, data).splitlines() or [b""])[0]
    assert b" 200 " in exchange(server, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")


def test_a_running_request_finishes_when_the_server_stops() -> None:
    entered, leave = threading.Event(), threading.Event()

    @get("/slow", public=True)
    def wait() -> Done:
        entered.set()
        return Done(leave.wait(60))

    answers: queue.Queue[bytes] = queue.Queue()
    with running(group("Slow", wait)) as server:
        idle = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        request = b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        asking = threading.Thread(target=lambda: answers.put(exchange(server, request)))
        asking.start()
        assert entered.wait(60)
        server.stop()
        server.stop()
        leave.set()
        assert b'{"ok":true}' in answers.get(timeout=60)
        asking.join()
        idle.close()


def test_a_request_that_does_not_end_is_cut_off_after_the_grace_period() -> None:
    entered, leave = threading.Event(), threading.Event()

    @get("/stuck", public=True)
    def wait() -> Done:
        entered.set()
        return Done(leave.wait(60))

    stuck = group("Stuck", wait)
    with (
        running(stuck, limits=Limits(grace=timedelta(seconds=0.3))) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection,
    ):
        connection.sendall(b"GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n")
        assert entered.wait(60)
        server.stop()
        with suppress(ConnectionResetError):
            assert b" 200 " not in connection.recv(100)
        leave.set()


def test_a_taken_port_is_one_clear_sentence(server: WebServer) -> None:
    with pytest.raises(Misconfigured, match=f"Cannot listen on 127.0.0.1:{server.port}") as caught:
        WebServer(things.application(), host="127.0.0.1", port=server.port)
    assert caught.value.fix
    with pytest.raises(Misconfigured, match="no address"):
        WebServer(things.application(), host="no.such.host.invalid", port=0)


PROGRAM = """
from keyturn.web.server import logs
from keyturn.web.server.serve import WebServer, end_process
from tests.features.web.things import application
logs.configure("INFO", "json")
WebServer(application(), host="127.0.0.1", port=0).run(lambda url: print("ready", url, flush=True))
print("stopped")
end_process(7)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_process_in_order(number: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            first = process.stdout.readline() if process.stdout else ""
            process.send_signal(number)
            output, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert first.startswith("ready http://127.0.0.1:")
    assert (output, errors, process.returncode) == ("stopped\n", "", 7)
