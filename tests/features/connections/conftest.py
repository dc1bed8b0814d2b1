"""The routes of app connections over a whole product in process, with callers of every role.

Every test of this folder is a test for canaries as well: no secret that ever existed in Entra, and none that somebody
typed, is in any answer or in any log line at DEBUG.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keyturn.db.unit import Database
from keyturn_simulation.world import World, make_world
from tests.databases import sqlite_database
from tests.features.connections.desk import ApiClient, desk
from tests.log_state import everything_logged


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with everything_logged() as stream:
        yield stream


@pytest.fixture
def web(world: World, tmp_path: Path, log: io.StringIO) -> Iterator[ApiClient]:
    with _watched(world, tmp_path, log) as opened:
        yield opened


@pytest.fixture
def shape(tmp_path: Path, log: io.StringIO) -> Iterator[ApiClient]:
    """The same on SQLite only, for requests whose shape is wrong: no database is asked about them."""
    with sqlite_database(tmp_path) as database, _watched(make_world(database), tmp_path, log) as opened:
        yield opened


@contextmanager
def _watched(world: World, folder: Path, log: io.StringIO) -> Iterator[ApiClient]:
    with desk(world, folder) as opened:
        yield opened
    output = log.getvalue() + "".join(opened.answers)
    assert "keyturn.access" in output
    assert not [secret for secret in opened.secrets() if secret in output], "a secret shows"
