"""A newer version migrates the database while this one runs: it takes no more work, and says why."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from keyturn.app.version_watch import VersionWatch
from keyturn.db import migrate
from keyturn.db.tables import processes
from keyturn.db.unit import Database
from keyturn.engine.readiness import look

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
PACE = timedelta(milliseconds=5)


def set_version(database: Database, version: str) -> None:
    with database.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM alembic_version")
        tx.connection.execute(
            sa.insert(sa.table("alembic_version", sa.column("version_num"))).values(version_num=version)
        )


@pytest.fixture
def versioned(database: Database) -> Database:
    with database.write() as tx:
        tx.connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        tx.run(sa.insert(processes).values(id="p", host="h", pid=1, started_at=NOON, seen_at=NOON))
    set_version(database, migrate.newest())
    return database


def test_it_is_not_ready_and_withdraws_once(versioned: Database) -> None:
    over, calls = threading.Event(), list[str]()

    def withdraw() -> None:
        calls.append("withdrawn")
        over.set()

    watch = VersionWatch(versioned, withdraw, PACE)
    watch.start()
    before = look(versioned, NOON, timedelta(seconds=10))
    assert (before.worker, before.reason) == (True, None)
    assert not over.wait(0.05)
    set_version(versioned, "9999")
    assert over.wait(30)
    assert watch.is_over
    after = look(versioned, NOON, timedelta(seconds=10))
    assert (after.database, after.worker) == (True, False)
    assert after.reason is not None
    assert "migrated the database to version 9999: end this process" in after.reason
    assert not threading.Event().wait(0.05)
    watch.stop(timedelta(seconds=10))
    assert calls == ["withdrawn"]
