"""What it costs to look for due work when nothing is due: with a hundred idle rotations, and with a hundred thousand."""

import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from benchmarks.measured import Measured
from keyturn.db.tables import organizations, rotations
from keyturn.db.unit import Database
from keyturn.engine.due import Finder
from keyturn.engine.sources import Sources
from keyturn.kit.clock import SystemClock
from keyturn.rotations.due import DueRotations
from tests.databases import database_of_kind
from tests.engine.inline import InlineEngine

FEW, MANY, LOOKS, LIMIT = 100, 100_000, 300, 2.0


def measure(kind: str) -> Measured:
    """Time a look among few and among many idle rotations; return one line."""
    with tempfile.TemporaryDirectory() as folder, database_of_kind(kind, Path(folder)) as database:
        _add(database, 0, FEW)
        few = _look(database)
        _add(database, FEW, MANY)
        many = _look(database)
    line = (
        f"finder on {kind}: {many * 1e6:.0f} us a look with {MANY} idle rotations, "
        f"{many / few:.2f} x that with {FEW} (limit {LIMIT:.0f})"
    )
    return Measured(line, many / few <= LIMIT)


def _look(database: Database) -> float:
    sources = Sources([DueRotations(lambda _rotation_id: None)])
    finder = Finder(database, SystemClock(), InlineEngine(), sources, 16, timedelta(seconds=1))
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        finder.tick()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _add(database: Database, first: int, end: int) -> None:
    now = datetime.now(UTC)
    with database.write() as tx:
        if not tx.one(sa.select(organizations.c.id)):
            tx.run(sa.insert(organizations).values(id="o", name="o", slug="o", created_at=now, updated_at=now))
        rows = [
            {
                "id": f"r{number}", "kind": "connection", "org_id": "o", "name": "n", "cloud": "global", "tenant_id": "t",
                "app_id": "a", "object_id": f"a{number}", "application_name": "n", "time_zone": "UTC",
                "overlap": "until-proven", "credential_kind": "client-secret",
                "wake_at": now + timedelta(days=1 + number % 30), "wake_set_at": now, "created_at": now, "updated_at": now,
            }
            for number in range(first, end)
        ]  # fmt: skip
        for start in range(0, len(rows), 5000):
            tx.connection.execute(sa.insert(rotations), rows[start : start + 5000])
    with database.write() as tx:
        tx.connection.exec_driver_sql("ANALYZE rotations")  # as the database does by itself, a minute later
