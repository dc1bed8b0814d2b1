"""What is written every few seconds leaves nothing behind in PostgreSQL, whether a vacuum comes or not."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from keyturn.alarms import store as alarms
from keyturn.db.unit import Tx
from keyturn.engine import store as engine
from tests.databases import postgres_database
from tests.features.accounts.people import organization

pytestmark = pytest.mark.postgres
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
TIMES = 20


def in_place(tx: Tx, table: str) -> tuple[int, int]:
    """Return how many rows of a table this transaction has changed, and how many of them in their place: without dead entries
    in indexes, so that the next reader cleans up (https://www.postgresql.org/docs/current/storage-hot.html)."""
    counts = ("pg_stat_get_xact_tuples_updated", "pg_stat_get_xact_tuples_hot_updated")
    columns = ", ".join(f"{count}('{table}'::regclass) AS {name}" for count, name in zip(counts, "ab", strict=True))
    row = tx.one(sa.text(f"SELECT {columns}"))
    assert row is not None
    return row["a"], row["b"]


def test_heartbeats_and_looks_at_alarms_are_written_in_place() -> None:
    with postgres_database() as database:
        org_id = organization(database)
        with database.write() as tx:
            engine.add_process(tx, engine.Process("p1", "host", 1, NOW))
            alarms.put_off(tx, org_id, NOW)
        with database.write() as tx:
            for number in range(TIMES):
                at = NOW + timedelta(seconds=number)
                engine.beat(tx, "p1", at)
                alarms.put_off(tx, org_id, at)
                alarms.note_evaluation(tx, org_id, at, at)
            assert in_place(tx, "processes") == (TIMES, TIMES)
            assert in_place(tx, "alarm_evaluations") == (2 * TIMES, 2 * TIMES)
