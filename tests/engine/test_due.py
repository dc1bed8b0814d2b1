"""Due rotations are found, claimed by one, and never lost."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from keyturn.db.unit import Database
from keyturn.engine.due import Finder
from keyturn.engine.sources import BUSY, Sources
from keyturn.kit.clock import MovableClock
from keyturn.ports.work import Work
from keyturn.rotations.due import CLAIM, DueRotations
from keyturn.rotations.store import policies
from tests import unreadable
from tests.engine.inline import InlineEngine
from tests.engine.rows import make_rotation, set_wake, wake_of

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


class World:
    """One process with an engine in memory; its work ends the wait of the rotation."""

    def __init__(self, database: Database, concurrency: int = 16) -> None:
        self.database = database
        self.clock = MovableClock(NOON)
        self.engine = InlineEngine()
        self.ran: list[str] = []
        self.sources = Sources([DueRotations(self.advance)])
        self.engine.start(self.sources.do)
        self.finder = Finder(database, self.clock, self.engine, self.sources, concurrency, timedelta(seconds=1))

    def advance(self, rotation_id: str) -> None:
        self.ran.append(rotation_id)
        set_wake(self.database, rotation_id, None)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_what_is_due_runs_and_what_is_not_waits(world: World) -> None:
    make_rotation(world.database, "due", NOON)
    make_rotation(world.database, "later", NOON + timedelta(seconds=5))
    make_rotation(world.database, "idle", None)
    world.finder.tick()
    world.engine.run_all()
    assert world.ran == ["due"]
    world.clock.advance(5)
    world.finder.tick()
    world.engine.run_all()
    assert world.ran == ["due", "later"]


def test_the_next_look_is_at_the_moment_when_something_comes_due(world: World) -> None:
    assert world.finder.pause() == timedelta(seconds=1)
    make_rotation(world.database, "later", NOON + timedelta(seconds=5))
    assert world.finder.pause() == timedelta(seconds=1)
    world.clock.advance(4.5)
    world.clock.advance(world.finder.pause().total_seconds())
    world.finder.tick()
    world.engine.run_all()
    assert (world.ran, world.clock.now() - NOON) == (["later"], timedelta(seconds=5, milliseconds=1))


def test_what_a_clock_ahead_of_ours_has_put_to_rest_is_found_at_once(world: World) -> None:
    """Also by a clock ten years ahead; what was put to rest a moment ago, by a clock like ours, waits."""
    for name, ahead in (("hour", timedelta(hours=1)), ("years", timedelta(days=3652)), ("alike", timedelta(seconds=3))):
        make_rotation(world.database, name, None)
        with world.database.write() as tx:
            policies.set_wake(tx, name, NOON + ahead + timedelta(minutes=1), NOON + ahead)
    world.finder.tick()
    world.engine.run_all()
    assert sorted(world.ran) == ["hour", "years"]
    assert world.finder.tick().submitted == 0


def test_a_rotation_whose_waking_cannot_be_read_or_is_years_away_is_found(world: World) -> None:
    make_rotation(world.database, "damaged", NOON)
    make_rotation(world.database, "next year", NOON + timedelta(days=402))
    for number, text in enumerate((*unreadable.moments(world.database), "9990-01-01 00:00:00.000000"), start=1):
        unreadable.write(world.database, "rotations", "wake_at", text, "id = 'damaged'")
        world.finder.tick()
        world.engine.run_all()
        assert world.ran == ["damaged"] * number, text


def test_the_longest_due_come_first_and_only_as_many_as_there_is_room_for(database: Database) -> None:
    world = World(database, concurrency=2)
    for number in range(5):
        make_rotation(database, f"r{number}", NOON - timedelta(minutes=number))
    result = world.finder.tick()
    assert (result.submitted, result.more) == (2, True)
    assert world.finder.tick().submitted == 0
    world.engine.run_all()
    assert world.ran == ["r4", "r3"]
    while world.finder.tick().more:
        world.engine.run_all()
    world.engine.run_all()
    assert sorted(world.ran) == ["r0", "r1", "r2", "r3", "r4"]


def test_a_few_more_are_handed_over_than_run_at_once_and_the_next_ones_together(database: Database) -> None:
    world = World(database, concurrency=8)
    for number in range(20):
        make_rotation(database, f"r{number}", NOON)
    assert world.finder.tick().submitted == 10
    world.engine.run_all(limit=1)
    assert (world.finder.tick().submitted, world.engine.in_flight()) == (0, 9)  # a thread has work: not worth a look
    world.engine.run_all(limit=1)
    assert (world.finder.tick().submitted, world.engine.in_flight()) == (2, 10)


def test_a_lost_submission_is_found_again(world: World) -> None:
    make_rotation(world.database, "r", NOON)
    world.finder.tick()
    world.engine.stop(timedelta(0))  # what was queued dies with the process
    world.engine.start(world.sources.do)
    world.finder.tick()
    assert world.engine.in_flight() == 0
    world.clock.advance(CLAIM.total_seconds())
    world.finder.tick()
    world.engine.run_all()
    assert world.ran == ["r"]


def test_a_second_rotation_of_a_busy_application_is_tried_again_soon(world: World) -> None:
    make_rotation(world.database, "first", NOON - timedelta(seconds=1), "the application")
    make_rotation(world.database, "second", NOON, "the application")
    assert world.finder.tick().submitted == 1
    assert wake_of(world.database, "second") == NOON + BUSY
    world.engine.run_all()
    world.clock.advance(BUSY.total_seconds())
    world.finder.tick()
    world.engine.run_all()
    assert world.ran == ["first", "second"]


def test_a_wake_up_set_while_the_work_ran_is_kept(world: World) -> None:
    make_rotation(world.database, "r", NOON)
    later = NOON + timedelta(hours=1)
    world.finder.tick()
    set_wake(world.database, "r", later)
    world.clock.advance(CLAIM.total_seconds())
    world.finder.tick()
    assert wake_of(world.database, "r") == later


def test_two_finders_claim_each_rotation_once(database: Database) -> None:
    first, second = World(database, 100), World(database, 100)
    names = [f"r{number}" for number in range(60)]
    for name in names:
        make_rotation(database, name, NOON)
    threads = [threading.Thread(target=_drain, args=[world]) for world in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(first.ran + second.ran) == sorted(names)


def _drain(world: World) -> None:
    world.finder.tick()
    world.engine.run_all()


def test_the_thread_looks_when_nudged_and_survives_a_lost_database(database: Database) -> None:
    world = World(database)
    ran = threading.Event()
    failed = threading.Event()

    class Reporting(InlineEngine):
        def submit(self, work: Work) -> bool:
            if not failed.is_set():
                failed.set()
                raise ConnectionError("away")
            ran.set()
            return True

    finder = Finder(database, world.clock, Reporting(), world.sources, 16, timedelta(hours=1))
    finder.start()
    try:
        make_rotation(database, "r", NOON)
        finder.nudge()
        assert failed.wait(20)
        world.clock.advance(CLAIM.total_seconds())
        finder.nudge()
        assert ran.wait(20)
    finally:
        finder.stop(timedelta(seconds=20))


def test_the_cost_does_not_grow_with_idle_rotations(database: Database) -> None:
    for number in range(50):
        make_rotation(database, f"idle{number}", NOON + timedelta(days=1))
    with database.read() as tx:
        if tx.postgres:
            tx.connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            prefix = "EXPLAIN"
        else:
            prefix = "EXPLAIN QUERY PLAN"
        plan = tx.connection.exec_driver_sql(
            f"{prefix} SELECT id FROM rotations WHERE wake_at <= '2026-01-01 00:00:00' ORDER BY wake_at LIMIT 5"
        )
        text = "\n".join(str(row) for row in plan)
    assert "ix_rotations_wake_at" in text
    assert "SORT" not in text.upper().replace("SORT KEY", "SORT")
