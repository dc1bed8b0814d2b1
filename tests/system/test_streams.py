"""Many pages of one address that watch a rotation: others are served beside them, and each stream ends with its session."""

import http.client
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from keyturn.app.web import open_access, web_application
from keyturn.kit.secret import Plaintext
from keyturn.people.sessions import BrowserInfo
from keyturn.tokens.domain import Origin
from keyturn.web.server.serve import WebServer
from tests.system.installation import EMAIL, PASSWORD, Installation, installation

STREAMS = 300
PATIENCE = 60
LONGEST_ANSWER = 5.0
"""Seconds, on a machine that does other things too: without streams it is a hundredth of it."""


@dataclass
class Served:
    port: int
    session: Plaintext
    token: str
    connection_id: str

    def watch(self) -> socket.socket:
        """Open the stream of the rotation as a page does, and return it once it has begun."""
        opened = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        head = f"GET /app-connections/{self.connection_id}/events HTTP/1.1\r\nhost: localhost:{self.port}\r\n"
        opened.sendall(f"{head}cookie: keyturn_session={self.session.reveal()}\r\nconnection: close\r\n\r\n".encode())
        return opened

    def ask(self) -> tuple[int, float]:
        """Ask for the list of connections with a token; return status and seconds."""
        asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        began = time.monotonic()
        asking.request("GET", "/api/v1/app-connections", headers={"authorization": f"Bearer {self.token}"})
        answer = asking.getresponse()
        answer.read()
        asking.close()
        return answer.status, time.monotonic() - began


@contextmanager
def serving(place: Installation) -> Iterator[Served]:
    """A server whose rotation is under way for ever, since nobody works on it."""
    connection = place.connect(place.application("Watched"), "watched")
    access = open_access(place.core)
    session = access.sessions.sign_in(EMAIL, Plaintext(PASSWORD), BrowserInfo(Origin("127.0.0.1"))).token
    application = web_application(place.core, None)
    server = WebServer(application, host="127.0.0.1", port=0, traffic=application.traffic)
    ready: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(target=server.run, args=(ready.put,))
    thread.start()
    try:
        ready.get(timeout=PATIENCE)
        yield Served(server.port, session, place.token, connection.id)
    finally:
        server.stop()
        thread.join(timeout=PATIENCE)


def until(stream: socket.socket, text: bytes) -> bytes:
    """Read until the text has come, or the end."""
    received = b""
    while text not in received:
        more = stream.recv(65536)
        if not more:
            break
        received += more
    return received


def test_three_hundred_streams_of_one_address_leave_room_for_requests_and_end_with_their_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with installation(tmp_path) as place, serving(place) as served, ExitStack() as closing:
        streams = [closing.enter_context(served.watch()) for _ in range(STREAMS)]
        for stream in streams:
            assert b"event: begun" in until(stream, b"event: begun")
        answers = [served.ask() for _ in range(20)]
        assert {status for status, _ in answers} == {200}
        assert max(took for _, took in answers) < LONGEST_ANSWER
        assert sorted(took for _, took in answers)[10] < LONGEST_ANSWER / 5

        capsys.readouterr()
        open_access(place.core).sessions.sign_out(served.session)
        for stream in streams:
            rest = until(stream, b"event: done")
            assert b"event: done" in rest
            assert until(stream, b"0\r\n\r\n").endswith(b"0\r\n\r\n") or rest.endswith(b"0\r\n\r\n"), (
                "it was not cut off"
            )
        assert served.ask()[0] == 200, "a token is no session"
    logged = capsys.readouterr().out
    assert "path=/api/v1/app-connections" in logged, "the log is what is looked at"
    assert not [line for line in logged.splitlines() if "error" in line or "warning" in line or "Traceback" in line]
