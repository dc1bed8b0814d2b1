"""The durable engine, on both databases: what is submitted runs, once per application at a time, and leaves nothing readable."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from keyturn.db.engine import parse_url
from keyturn.db.unit import Database
from keyturn.engine.dbos import KEEP_FINISHED, DbosEngine
from keyturn.errors import Permanent
from keyturn.kit.clock import MovableClock
from keyturn.ports import work as port
from tests.databases import sqlite_database
from tests.engine.sealing import CODEC

LONG = timedelta(seconds=30)
NOW = timedelta(0)
CANARY = "s3cr3t-canary-value"


class Work:
    """Work that waits inside until it is let go, and remembers what ran."""

    def __init__(self, *, blocked: bool = False) -> None:
        self.changed = threading.Condition()
        self.running: list[str] = []
        self.most = 0
        self.done: list[str] = []
        self.open = not blocked

    def __call__(self, rotation_id: str) -> None:
        with self.changed:
            self.running.append(rotation_id)
            self.most = max(self.most, len(self.running))
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.open, 60)
            self.running.remove(rotation_id)
            self.done.append(rotation_id)
            self.changed.notify_all()

    def let_go(self) -> None:
        with self.changed:
            self.open = True
            self.changed.notify_all()

    def await_running(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.running) >= count, 30)

    def await_done(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.done) >= count, 30)


def piece(rotation_id: str, application: str) -> port.Work:
    return port.Work("rotation", rotation_id, application)


def by_id(advance: Callable[[str], None]) -> Callable[[port.Work], None]:
    return lambda work: advance(work.id)


def _engine(
    database: Database, name: str = "p1", concurrency: int = 4, clock: MovableClock | None = None
) -> DbosEngine:
    return DbosEngine(database.engine.url, name, concurrency, CODEC, clock or MovableClock(datetime.now(UTC)))


@contextmanager
def _started(engine: DbosEngine, advance: Callable[[str], None]) -> Iterator[DbosEngine]:
    engine.start(by_id(advance))
    try:
        yield engine
    finally:
        engine.stop(LONG)


def _await_idle(engine: DbosEngine) -> None:
    deadline = time.monotonic() + 30
    while engine.in_flight():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def _table(database: Database, name: str) -> str:
    return name if database.is_sqlite else f"dbos.{name}"


def _sql(database: Database, statement: str) -> list[tuple[object, ...]]:
    with database.engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


def _rows(database: Database) -> list[tuple[object, ...]]:
    return _sql(database, f"SELECT workflow_uuid, status FROM {_table(database, 'workflow_status')}")


def test_what_is_submitted_runs_and_leaves_no_row(database: Database) -> None:
    work = Work()
    with _started(_engine(database), work) as engine:
        assert all(engine.submit(piece(f"r{number}", f"app{number}")) for number in range(10))
        work.await_done(10)
        _await_idle(engine)
        assert sorted(work.done) == sorted(f"r{number}" for number in range(10))
        assert engine.in_flight() == 0
        assert _rows(database) == []
        assert engine.submit(piece("r1", "app1")), "what has finished may be submitted again"
        work.await_done(11)


def test_one_application_is_worked_on_once_at_a_time(database: Database) -> None:
    work = Work(blocked=True)
    with _started(_engine(database), work) as engine:
        assert engine.submit(piece("r", "application"))
        assert not engine.submit(piece("r", "application"))
        work.await_running(1)
        assert not engine.submit(piece("r", "application"))
        assert not engine.submit(piece("another rotation", "application"))
        assert engine.in_flight() == 1
        work.let_go()
        work.await_done(1)
        _await_idle(engine)
        assert engine.submit(piece("another rotation", "application"))
        work.await_done(2)
    assert work.done == ["r", "another rotation"]


def test_no_more_run_than_the_concurrency_allows(database: Database) -> None:
    work = Work(blocked=True)
    with _started(_engine(database, concurrency=3), work) as engine:
        for number in range(9):
            engine.submit(piece(f"r{number}", f"app{number}"))
        work.await_running(3)
        assert engine.in_flight() == 9
        work.let_go()
        work.await_done(9)
    assert work.most == 3


@contextmanager
def _dead(database: Database, *applications: str) -> Iterator[None]:
    """A process called "dead" that was killed, as far as the tables know, with work for these applications under way."""
    stuck = Work(blocked=True)
    dead = _engine(database, "dead")
    dead.start(by_id(stuck))
    for application in applications:
        dead.submit(piece("r", application))
    stuck.await_running(len(applications))
    dead.stop(NOW)
    yield
    stuck.let_go()
    stuck.await_done(len(applications))


def test_what_a_dead_process_had_under_way_is_submitted_anew_once_it_is_struck_off(database: Database) -> None:
    work = Work()
    with _dead(database, "application"), _started(_engine(database, "alive"), work) as alive:
        assert alive.holders() == {"dead"}
        assert not alive.submit(piece("r", "application")), "nobody else begins it before"
        assert alive.release("dead") == ["application"]
        assert alive.release("dead") == []
        assert alive.submit(piece("r", "application"))
        work.await_done(1)
        _await_idle(alive)
        assert _rows(database) == []
    assert work.done == ["r"]


def test_a_busy_process_that_takes_over_runs_everything_once_and_stays_free(database: Database) -> None:
    """What is taken over waits its turn like all other work: nothing runs twice, and no thread waits for another."""
    work = Work(blocked=True)
    names = [f"r{number}" for number in range(8)]
    with _dead(database, *names[:4]), _started(_engine(database, "alive", concurrency=2), work) as alive:
        assert alive.submit(piece("busy", "busy"))
        assert alive.submit(piece("busy too", "busy too"))
        work.await_running(2)
        alive.release("dead")
        threading.Event().wait(1.5)  # what DBOS would begin by itself it begins within a second
        waiting = set(names)
        while waiting := {name for name in waiting if not alive.submit(piece(name, name))}:
            threading.Event().wait(0.01)
        assert alive.in_flight() == 10
        work.let_go()
        work.await_done(10)
        _await_idle(alive)
        assert sorted(work.done) == sorted([*names, "busy", "busy too"])
        assert _rows(database) == []


def test_work_whose_row_was_struck_off_by_mistake_ends_as_it_would_have(database: Database) -> None:
    """A process that was only slow: another took it for dead."""
    work = Work(blocked=True)
    with _started(_engine(database, "slow", concurrency=1), work) as slow:
        assert slow.submit(piece("r", "application"))
        work.await_running(1)
        assert slow.release("slow") == ["application"]
        assert not slow.submit(piece("r", "application")), "it still runs"
        work.let_go()
        work.await_done(1)
        _await_idle(slow)
        assert slow.submit(piece("r", "application"))
        work.await_done(2)


def test_a_row_of_ours_that_does_not_run_is_replaced(database: Database) -> None:
    stuck, work = Work(blocked=True), Work()
    before = _engine(database, "before")
    before.start(by_id(stuck))
    before.submit(piece("r", "application"))
    stuck.await_running(1)
    before.stop(NOW)
    stuck.let_go()
    with _started(_engine(database, "now"), work) as engine:
        _sql(database, f"UPDATE {_table(database, 'workflow_status')} SET executor_id = 'now'")
        assert engine.submit(piece("r", "application"))
        work.await_done(1)


def _fail(_rotation_id: str) -> None:
    try:
        int(CANARY)
    except ValueError:
        raise Permanent(f"refused because of {CANARY}", code="graph.refused", fix=CANARY) from None


def test_nothing_readable_is_stored_or_logged(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs, _started(_engine(database), _fail) as engine:
        engine.submit(piece(f"rotation-{CANARY}", "application"))
        _await_idle(engine)
        assert _rows(database) == [("advance:application", "ERROR")]
        stored = _everything(database, tmp_path)
        assert b"advance:application" in stored
        assert CANARY.encode() not in stored
        assert b"graph.refused" not in stored
    failures = [line for line in logs if line["event"] == "work failed"]
    assert [(line["error"], line["code"]) for line in failures] == [("Permanent", "graph.refused")]
    assert "test_dbos.py" in failures[0]["at"]
    for line in logs:
        assert CANARY not in str({key: value for key, value in line.items() if key != "work_id"})
    output = capfd.readouterr()
    assert CANARY not in caplog.text + output.out + output.err


def _everything(database: Database, folder: Path) -> bytes:
    if database.is_sqlite:
        return b"".join(path.read_bytes() for path in folder.glob("keyturn.db*"))
    names = sa.inspect(database.engine).get_table_names(schema="dbos")
    assert len(names) > 5
    return "\n".join(str(_sql(database, f'SELECT * FROM dbos."{name}"')) for name in names).encode()


def test_failed_work_may_be_submitted_again_and_old_rows_are_tidied_away(database: Database) -> None:
    clock = MovableClock(datetime.now(UTC))
    failing = True

    def advance(rotation_id: str) -> None:
        if failing:
            _fail(rotation_id)

    with _started(_engine(database, clock=clock), advance) as engine:
        for name in ("a", "b"):
            engine.submit(piece(name, name))
        _await_idle(engine)
        assert len(_rows(database)) == 2
        failing = False
        assert engine.submit(piece("a", "a"))
        _await_idle(engine)
        engine.tidy()
        assert _rows(database) == [("advance:b", "ERROR")]
        clock.advance(KEEP_FINISHED.total_seconds() + 60)
        engine.tidy()
        assert _rows(database) == []


def test_stopping_waits_for_what_runs_and_takes_nothing_new(database: Database) -> None:
    work = Work(blocked=True)
    engine = _engine(database)
    engine.start(by_id(work))
    engine.submit(piece("r", "application"))
    work.await_running(1)
    stopper = threading.Thread(target=engine.stop, args=[LONG])
    stopper.start()
    stopper.join(0.3)
    assert stopper.is_alive()
    assert not engine.submit(piece("another", "another"))
    work.let_go()
    stopper.join(30)
    assert not stopper.is_alive()
    assert work.done == ["r"]
    assert engine.in_flight() == 0
    assert _rows(database) == []
    engine.stop(NOW)


def test_stopping_waits_no_longer_than_the_grace(database: Database) -> None:
    work = Work(blocked=True)
    engine = _engine(database)
    engine.start(by_id(work))
    engine.submit(piece("r", "application"))
    work.await_running(1)
    engine.stop(NOW)
    assert engine.in_flight() == 1
    assert _rows(database) == [("advance:application", "PENDING")]
    work.let_go()
    work.await_done(1)


def test_engines_follow_one_another_but_do_not_share_a_process(database: Database) -> None:
    work = Work()
    for name in ("first", "second", "third"):
        with _started(_engine(database, name), work) as engine:
            with pytest.raises(RuntimeError, match="another engine"):
                _engine(database, "at the same time").start(by_id(work))
            assert engine.submit(piece(name, "application"))
            _await_idle(engine)
    assert work.done == ["first", "second", "third"]


def test_an_engine_that_was_not_started_takes_no_work(database: Database) -> None:
    assert not _engine(database).submit(piece("r", "application"))


def test_the_embedded_database_stays_in_write_ahead_mode(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, _started(_engine(database), Work()) as engine:
        assert _journal_mode(tmp_path) == "wal"
        engine.submit(piece("r", "application"))
        _await_idle(engine)
        assert _journal_mode(tmp_path) == "wal"


def test_a_fresh_file_is_put_into_write_ahead_mode(tmp_path: Path) -> None:
    engine = DbosEngine(parse_url(f"sqlite:///{tmp_path}/keyturn.db"), "p1", 1, CODEC, MovableClock(datetime.now(UTC)))
    with _started(engine, Work()):
        assert _journal_mode(tmp_path) == "wal"


def _journal_mode(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "keyturn.db")) as plain:
        return str(plain.execute("PRAGMA journal_mode").fetchone()[0])


def test_only_plain_data_can_be_encoded() -> None:
    assert CODEC.decode(CODEC.encode({"args": ("r",), "kwargs": {}})) == {"args": ["r"], "kwargs": {}}
    with pytest.raises(TypeError):
        CODEC.encode(object())
