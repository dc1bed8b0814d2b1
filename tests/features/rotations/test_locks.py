"""Users and the workflow lock rows in the same order, so that neither makes the other fail on PostgreSQL."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from keyturn.db.unit import Database
from keyturn_simulation.world import World, make_world
from tests.databases import database_of_kind


@contextmanager
def locks_of(database: Database) -> Iterator[list[list[str]]]:
    """Collect the tables whose rows are locked, a list for each transaction."""
    taken: list[list[str]] = []

    def begin(_connection: object) -> None:
        taken.append([])

    def execute(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        found = re.search(r"FROM (\w+).*FOR UPDATE", statement, re.DOTALL) or re.match(r"UPDATE (\w+)", statement)
        if found and taken:
            taken[-1].append(found[1])

    event.listen(database.engine, "begin", begin)
    event.listen(database.engine, "before_cursor_execute", execute)
    yield taken
    event.remove(database.engine, "begin", begin)
    event.remove(database.engine, "before_cursor_execute", execute)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with database_of_kind("postgres", tmp_path) as database:
        yield make_world(database)


@pytest.mark.postgres
def test_the_rotation_is_locked_before_its_connection(world: World) -> None:
    with locks_of(world.database) as taken:
        connection = world.connect()
        world.settle()
        world.change(connection, name="renamed")
        world.rotations.rotate_now(world.actor, connection.id)
        world.settle()
        world.rotations.delete(world.actor, connection.id)
        world.settle()

    both = [tables for tables in taken if {"rotations", "app_connections"} <= set(tables)]
    assert len(both) >= 4  # two publishes, a rename, a deletion
    for tables in both:
        assert tables.index("rotations") < tables.index("app_connections"), tables
