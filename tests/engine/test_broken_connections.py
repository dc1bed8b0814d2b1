"""Connections to PostgreSQL that broke while nobody used them are replaced before anybody notices."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from keyturn.db import engine as engines
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
