"""Connections to PostgreSQL that broke while nobody used them are replaced before anybody notices."""

import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from keyturn.db import engine as engines
from keyturn.db.engine import open_engine
from keyturn.db.unit import Database
from tests.databases import postgres_database

ONE = sa.select(sa.literal(1).label("one"))
OTHERS = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def ask(database: Database) -> int:
    with database.read() as tx:
        return int((tx.one(ONE) or {})["one"])


def break_one_of_two(database: Database) -> None:
    """Leave two connections in the pool, one of which the server has ended."""
    with database.engine.connect() as works:
        works.execute(ONE)
        assert ask(database) == 1
        works.execute(OTHERS)


@pytest.mark.postgres
def test_a_connection_that_broke_while_idle_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(engines.time, "monotonic", lambda: now[0])
    with postgres_database() as database:
        break_one_of_two(database)
        now[0] += timedelta(minutes=5).total_seconds()
        assert [ask(database) for _ in range(3)] == [1, 1, 1]


@pytest.mark.postgres
def test_one_that_broke_in_use_fails_once_and_takes_all_others_with_it() -> None:
    with postgres_database() as database:
        break_one_of_two(database)
        outcomes = []
        for _ in range(4):
            try:
                outcomes.append(ask(database))
            except sa.exc.OperationalError:
                outcomes.append(0)
        assert outcomes == [0, 1, 1, 1]


@pytest.mark.postgres
def test_a_connection_in_use_while_the_database_is_closed_is_closed_once_it_is_given_back() -> None:
    with postgres_database() as watcher:
        database = Database(open_engine(watcher.engine.url))
        with database.read() as tx:
            assert tx.rows(ONE)
            database.close()
            assert tx.rows(ONE), "work that is under way comes to its end"
            await_sessions(watcher, 1)
        await_sessions(watcher, 0)


def await_sessions(watcher: Database, wanted: int) -> None:
    """Wait until so many others are connected: the server takes a moment to notice that somebody left."""
    count = sa.text(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 30
    while True:
        with watcher.read() as tx:
            there = int(tx.rows(count)[0]["n"])
        if there == wanted:
            return
        assert time.monotonic() < deadline, f"{there} others are connected"
        time.sleep(0.01)
