"""Work outlives its process: a real child is killed with SIGKILL in the middle of it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest
import sqlalchemy as sa

from keyturn.db.tables import processes
from keyturn.db.unit import Database
from tests.databases import postgres_database
from tests.engine.rows import make_lease, make_rotation, process_ids, wake_of

ROOT = Path(__file__).parents[2]
ADOPTED_WITHIN = timedelta(seconds=15)


class Worker:
    """A child process running ``tests/engine/worker.py``."""

    def __init__(self, database: Database, manner: str) -> None:
        address = database.engine.url.render_as_string(hide_password=False)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.worker", address, manner],
            cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, line: str) -> None:
        """Read what the child says until this line; the test's time limit ends a child that never says it."""
        for output in _stream(self.process.stdout):
            if output.strip() == line:
                return
        raise AssertionError(f"the worker ended without saying {line!r}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def leave(self) -> int:
        """Let it stop in order; return its exit status."""
        _stream(self.process.stdin).close()
        return self.process.wait(60)


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


@contextmanager
def _worker(database: Database, manner: str) -> Iterator[Worker]:
    worker = Worker(database, manner)
    try:
        yield worker
    finally:
        worker.kill()
        for stream in (worker.process.stdin, worker.process.stdout):
            _stream(stream).close()


@pytest.mark.alternates
def test_after_a_kill_the_next_start_carries_on(database: Database) -> None:
    make_rotation(database, "r", datetime.now(UTC))
    with _worker(database, "hang") as first:
        first.wait_for("begin r")
        make_lease(database, "object of r", next(iter(process_ids(database))), datetime.now(UTC) + timedelta(hours=1))
        first.kill()
    with _worker(database, "work") as second:
        second.wait_for("ready")
        began = time.monotonic()
        second.wait_for("end r")
        assert time.monotonic() - began < ADOPTED_WITHIN.total_seconds()
        assert second.leave() == 0
    assert wake_of(database, "r") is None
    assert process_ids(database) == set()


@pytest.fixture
def shared() -> Iterator[Database]:
    """PostgreSQL: only there do several processes share the work."""
    with postgres_database() as database:
        yield database


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.alternates
@pytest.mark.parametrize("machine", ["same", "another"])
def test_after_a_kill_another_process_carries_on(shared: Database, machine: str) -> None:
    database = shared
    make_rotation(database, "r", datetime.now(UTC))
    with _worker(database, "hang") as first:
        first.wait_for("begin r")
        with _worker(database, "work") as second:
            second.wait_for("ready")
            if machine == "another":
                with database.write() as tx:
                    busy = processes.c.pid == first.process.pid
                    tx.run(sa.update(processes).where(busy).values(host="another-machine boot=1 pids=2 start=3"))
            first.kill()
            began = time.monotonic()
            second.wait_for("end r")
            assert time.monotonic() - began < ADOPTED_WITHIN.total_seconds()
            assert second.leave() == 0
    assert wake_of(database, "r") is None


@pytest.mark.postgres
def test_work_goes_on_after_the_database_dropped_all_connections(shared: Database) -> None:
    with _worker(shared, "work") as worker:
        worker.wait_for("ready")
        with shared.engine.begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        make_rotation(shared, "r", datetime.now(UTC))
        worker.wait_for("end r")
        assert worker.leave() == 0
