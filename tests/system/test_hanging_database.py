"""The database takes everything and answers nothing: readiness says so in time, and who is asked to end ends."""

import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import make_url

from tests.postgres import fresh_database
from tests.system.installation import ROOT, system_environ

PATIENCE = 120
ENDS_WITHIN = 40
"""Ten seconds, on a machine that is four times slower."""


class Line:
    """Leads to a port of this machine until it is told to hang."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.flows = threading.Event()
        self.flows.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()
        self.flows.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source, sink:
            while part := source.recv(65536):
                self.flows.wait()
                sink.sendall(part)


@contextmanager
def running(command: str, url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], Line, str]]:
    line = Line(make_url(url).port or 5432)
    through = make_url(url).set(port=line.port).render_as_string(hide_password=False)
    environ = system_environ() | {
        "HOME": str(folder),
        "DB_CONNECTION_URI": through,
        "ENCRYPTION_KEY": secrets.token_hex(32),
        "PORT": "0",
    }
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "keyturn", command],
            env=environ,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as child,
    ):
        try:
            assert child.stdout is not None
            first = child.stdout.readline()
            assert "ready" in first, (folder / "log").read_text()
            yield child, line, first
        finally:
            child.kill()
            line.close()


def ends(child: subprocess.Popen[str]) -> float:
    began = time.monotonic()
    child.terminate()
    assert child.wait(PATIENCE) == 0
    return time.monotonic() - began


@pytest.mark.postgres
def test_a_server_says_that_it_is_not_ready_and_ends_when_asked(tmp_path: Path) -> None:
    with fresh_database() as url, running("serve", url, tmp_path) as (child, line, first):
        site = first.split()[4]
        with httpx2.Client(base_url=site, timeout=PATIENCE, trust_env=False) as web:
            assert web.get("/readyz").status_code == 200
            line.flows.clear()
            time.sleep(1.2)  # one look is believed for a second
            began = time.monotonic()
            answer = web.get("/readyz")
            took = time.monotonic() - began
            assert answer.status_code == 503
            assert answer.json()["reason"]
            assert web.get("/healthz").status_code == 200
        ended = ends(child)
        print(f"not ready after {took:.2f} s, ended after {ended:.1f} s")
        assert took < 10
        assert ended < ENDS_WITHIN


@pytest.mark.postgres
def test_a_worker_ends_when_asked(tmp_path: Path) -> None:
    with fresh_database() as url, running("worker", url, tmp_path) as (child, line, _first):
        line.flows.clear()
        time.sleep(1)  # a heartbeat hangs by now, or soon
        ended = ends(child)
        print(f"ended after {ended:.1f} s")
        assert ended < ENDS_WITHIN
