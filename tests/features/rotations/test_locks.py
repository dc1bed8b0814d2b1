"""Users and the workflow lock rows in the same order, so that neither makes the other fail on PostgreSQL."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from keyturn.crypto.fingerprints import read_or_make
from keyturn.db.tables import leases
from keyturn.db.unit import Database
from keyturn.engine import lease_store
from keyturn.errors import Refused
from keyturn.rotations.edit_lock import EditLock
from keyturn.rotations.store import runs
from keyturn.settings.model import Pace
from keyturn_simulation.world import World, make_world
from tests.databases import database_of_kind


@contextmanager
def locks_of(database: Database) -> Iterator[list[list[str]]]:
    """Collect the tables whose rows are locked, a list for each transaction; ``new`` where it makes the rotation."""
    locks: list[list[str]] = []

    def begin(_connection: object) -> None:
        locks.append([])

    def execute(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        match = re.search(r"FROM (\w+).*FOR (?:NO KEY )?UPDATE", statement, re.DOTALL) or re.match(
            r"UPDATE (\w+)", statement
        )
        if match and locks:
            locks[-1].append(match[1])
        if statement.startswith("INSERT INTO rotations") and locks:
            locks[-1].append("new")

    event.listen(database.engine, "begin", begin)
    event.listen(database.engine, "before_cursor_execute", execute)
    yield locks
    event.remove(database.engine, "begin", begin)
    event.remove(database.engine, "before_cursor_execute", execute)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with database_of_kind("postgres", tmp_path) as database:
        yield make_world(database)


@pytest.mark.postgres
def test_the_rotation_is_locked_before_its_connection(world: World) -> None:
    with world.database.write() as tx:  # once in an installation's life, marks of a lost key are removed from all rows
        read_or_make(tx, world.sealer, world.clock.now(), lambda _tx: None)
    with locks_of(world.database) as locks:
        connection = world.connect()
        world.settle()
        world.change(connection, name="renamed")
        world.rotations.rotate_now(world.actor, connection.id)
        world.settle()
        world.rotations.delete(world.actor, connection.id)
        world.settle()

    # A rotation that is only being made is seen by nobody else, so nobody waits for it.
    both = [tables for tables in locks if {"rotations", "app_connections"} <= set(tables) and "new" not in tables]
    assert len(both) >= 4  # two publishes, a rename, a deletion
    for tables in both:
        assert tables.index("rotations") < tables.index("app_connections"), tables


@pytest.mark.postgres
def test_a_click_waits_for_a_step_that_is_being_written_down(world: World) -> None:
    connection = world.connect()
    rotation = world.rotation(connection)
    run = next(world.runs(connection))
    with ThreadPoolExecutor(1) as clicks:
        with world.database.write() as tx:
            runs.change_run(tx, run.id, tries=1)
            click = clicks.submit(world.rotations.rotate_now, world.actor, connection.id)
            waits_for_a_lock(world.database)
            now = world.clock.now()
            runs.record_step(tx, rotation.id, runs.StepRecord("inspect", "done", now, now, run.id, None), None)
        _, joined = click.result(10)
    assert joined.id == run.id


def waits_for_a_lock(database: Database) -> None:
    """Wait until another session of this database is blocked."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with database.engine.connect() as connection:
        for _ in range(1000):
            if connection.exec_driver_sql(query).scalar():
                return
            connection.rollback()
            time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_the_first_lease_of_an_application_is_taken_at_once_and_by_one(database: Database) -> None:
    world = make_world(database)
    now, lasts = world.clock.now(), Pace().lease
    with database.write() as tx:
        assert lease_store.take_lease(tx, "application", "one", now, lasts) == 1
    with database.write() as tx:
        assert lease_store.take_lease(tx, "application", "other", now, lasts) is None


def test_a_change_that_is_refused_because_somebody_is_at_work_leaves_nothing(database: Database) -> None:
    world = make_world(database)
    first, second = sorted([world.application.object_id, "z" * 36])
    with database.write() as tx:
        assert lease_store.take_lease(tx, second, "somebody", world.clock.now(), Pace().lease)
    edits = EditLock(database, world.clock, lambda _seconds: None, "api")
    with pytest.raises(Refused, match="being worked on"), edits.write(first, second):
        raise AssertionError("never reached")
    with database.read() as tx:
        assert [row["object_id"] for row in tx.rows(sa.select(leases.c.object_id))] == [second]
