"""Readiness is told in time, whatever hangs; trouble with the database is 503 with Retry-After."""

import io
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.db.sqlite import LEAST_FREE
from keyturn.db.tables import data_keys
from keyturn.db.trouble import explain
from keyturn.engine.readiness import look
from keyturn.kit.clock import SystemClock
from keyturn.kit.ids import SystemIds
from keyturn.settings.model import Settings
from keyturn.web.routes import get, group
from keyturn.web.server import logs
from keyturn.web.server.app import build
from keyturn.web.server.health import HANGS, Status, latest
from tests.client import Client
from tests.databases import sqlite_database
from tests.features.boot.test_database_trouble import every_connection, fill, grow
from tests.features.web.things import Shown
from tests.log_state import kept_log_state

CANARY = "x" * 50


def nobody(*_: Any) -> Any:
    raise AssertionError("no route of this test needs a caller")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    written = io.StringIO()
    with kept_log_state():
        logs.configure("INFO", "json", written)
        yield written


def test_a_full_disk_is_503_with_one_line_and_no_values(tmp_path: Path, log: io.StringIO) -> None:
    with sqlite_database(tmp_path) as database:
        fill(database)

        @get("/api/v1/grow", public=True)
        def grow_it() -> Shown:
            """Write more than there is room for."""
            grow(database)
            return Shown({})

        app = build(
            [group("Test", grow_it)],
            authenticate=nobody,
            settings=Settings(data_dir=tmp_path, database_url="sqlite://"),
            clock=SystemClock(),
            ids=SystemIds(),
            explain=explain,
        )
        with Client(app) as web:
            answer = web.get("/api/v1/grow")
    shape = answer.json()
    assert (answer.status_code, shape["error"], shape["code"]) == (503, "ServiceUnavailable", "database.full")
    assert int(answer.headers["retry-after"]) > 0
    lines = [line for line in log.getvalue().splitlines() if '"request"' not in line]
    assert len(lines) == 1, lines
    assert "disk of the database is full" in lines[0]
    assert CANARY not in log.getvalue()
    assert "Traceback" not in log.getvalue()


def test_a_look_that_hangs_is_answered_in_time_and_begun_once() -> None:
    begun, over = [], threading.Event()
    status = Status(database=True, worker=True)

    def look() -> Status:
        begun.append(1)
        over.wait(60)
        return status

    watch = latest(look, patience=0.05, fresh=0.0)
    assert [watch.value() for _ in range(5)] == [HANGS] * 5
    assert len(begun) == 1
    over.set()
    patient = latest(look, patience=60, fresh=60)
    assert [patient.value() for _ in range(5)] == [status] * 5
    assert len(begun) == 2


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        (Status(database=True, worker=True), True),
        (Status(database=True, worker=False, reason="No worker lives."), False),
        (Status(database=True, worker=True, writable=False, reason="The disk of the database is full."), False),
        (HANGS, False),
    ],
)
def test_ready_means_that_work_is_done(status: Status, ready: bool, tmp_path: Path) -> None:
    app = build(
        [],
        authenticate=nobody,
        settings=Settings(data_dir=tmp_path, database_url="sqlite://"),
        clock=SystemClock(),
        ids=SystemIds(),
        status=lambda: status,
    )
    with Client(app) as web:
        answer = web.get("/readyz")
        assert answer.status_code == (200 if ready else 503)
        assert (answer.json()["ok"], answer.json().get("reason")) == (ready, status.reason)
        assert web.get("/api/status").json()["ok"] is ready
        assert web.get("/healthz").status_code == 200


def test_a_write_of_this_process_keeps_it_from_being_asked_again(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        with database.write() as tx:
            tx.run(sa.update(data_keys).values(seals=0))
        with closing(sqlite3.connect(tmp_path / "keyturn.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            database.check_writable(0.1, trusted=60)


def test_a_write_that_failed_since_is_no_proof(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        with database.write() as tx:
            tx.run(sa.update(data_keys).values(seals=0))
        every_connection(database, "PRAGMA query_only=ON")
        with pytest.raises(sa.exc.OperationalError):
            grow(database)
        with pytest.raises(sa.exc.OperationalError):
            database.check_writable(0.1, trusted=60)


def test_a_disk_without_room_is_told_before_a_write_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small write may go into the old pages of the log, and so prove nothing."""
    now = SystemClock().now()
    with sqlite_database(tmp_path) as database:
        assert look(database, now, timedelta(seconds=30)).writable
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=LEAST_FREE - 1))
        found = look(database, now, timedelta(seconds=30))
    assert (found.writable, found.reason) == (False, "The disk of the database is full.")


def test_a_data_folder_that_is_gone_is_told_as_such(tmp_path: Path) -> None:
    folder, moved = tmp_path / "data", tmp_path / "moved"
    folder.mkdir()
    with sqlite_database(folder) as database:
        assert look(database, SystemClock().now(), timedelta(seconds=30)).writable
        folder.rename(moved)
        found = look(database, SystemClock().now(), timedelta(seconds=30))
        moved.rename(folder)
    assert (found.database, found.writable) == (True, False)
    assert found.reason == "The data folder is gone: it was moved or deleted, or its disk is not mounted."
