"""The migration that brings the daily look of connections, over a database with rows of the version before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from keyturn.db import migrate
from keyturn.db.engine import for_writing, open_engine, parse_url
from keyturn.db.tables import app_connections, credentials, rotations
from keyturn.db.unit import Database
from keyturn.rotations.store.due import claim_due
from tests.postgres import fresh_database

BEFORE = "0002"
THEN = datetime(2026, 1, 5, 12, tzinfo=UTC)
TEXTS = ("name", "slug", "scope", "app", "method", "cloud", "tenant_id", "client_id", "secret", "credentials_hash")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database as the version before left it."""
    if request.param == "sqlite":
        database = Database(open_engine(parse_url(f"sqlite:///{tmp_path}/keyturn.db")))
        to_version(database, BEFORE)
        yield database
        database.close()
        return
    with fresh_database() as url:
        database = Database(open_engine(parse_url(url)))
        to_version(database, BEFORE)
        yield database
        database.close()


def to_version(database: Database, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", "keyturn:db/migrations")
    with database.engine.connect() as connection, for_writing(connection).begin():
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def fill(database: Database) -> None:
    """Three connections; one rotates, one was switched off before its first run. A proof is under way."""
    metadata = sa.MetaData()
    metadata.reflect(database.engine, only=["organizations", "app_connections", "rotations", "credentials"])
    with database.engine.begin() as connection:

        def insert(table: str, **chosen: Any) -> None:
            values = {column.name: _something(column) for column in metadata.tables[table].columns if _needed(column)}
            connection.execute(sa.insert(metadata.tables[table]).values(values | chosen))

        insert("organizations", id="org")
        for number in range(3):
            insert("app_connections", id=f"c{number}", org_id="org", name=f"c{number}", scope="org")
            state = {"enabled": number == 1, "retired": False, "sweep_at": THEN if number == 1 else None}
            if number:
                insert("rotations", id=f"r{number}", org_id="org", connection_id=f"c{number}", object_id="o", **state)
        for state, tries in (("issued", 2), ("issued", 0), ("current", 2)):
            row = f"{state} {tries}"
            insert(
                "credentials", id=row, rotation_id="r1", object_id="o", state=state, proof_tries=tries, proof_at=THEN
            )


def _needed(column: sa.Column[Any]) -> bool:
    return not column.nullable and column.server_default is None


def _something(column: sa.Column[Any]) -> object:
    if isinstance(column.type, sa.DateTime):
        return THEN
    return 1 if isinstance(column.type, sa.Integer) else "x"


def test_old_rows_are_looked_at_within_a_day_and_not_all_at_once(old: Database) -> None:
    fill(old)
    begun = datetime.now(UTC)
    assert migrate.upgrade(old)
    with old.read() as tx:
        connections = tx.rows(sa.select(app_connections.c.look_at, app_connections.c.refused_at))
        swept = {row["id"]: row["sweep_at"] for row in tx.rows(sa.select(rotations.c.id, rotations.c.sweep_at))}
        woken = {row["id"]: row["wake_at"] for row in tx.rows(sa.select(rotations.c.id, rotations.c.wake_at))}
        proofs = {
            row["id"]: row["not_yet_at"] for row in tx.rows(sa.select(credentials.c.id, credentials.c.not_yet_at))
        }
    looks = sorted(row["look_at"] for row in connections)
    assert begun < looks[0]
    assert looks[-1] < begun + timedelta(days=1, minutes=10)
    assert min(later - earlier for earlier, later in pairwise(looks)) > timedelta(hours=7)
    assert [row["refused_at"] for row in connections] == [None] * 3
    assert swept["r1"] == THEN
    assert swept["r2"]
    assert swept["r2"] >= begun
    assert woken["r2"] == swept["r2"]
    assert proofs == {"issued 2": THEN, "issued 0": None, "current 2": None}


def test_what_was_put_to_rest_before_is_looked_at_once_in_case_a_wrong_clock_had_set_its_alarm(old: Database) -> None:
    fill(old)
    far = THEN + timedelta(days=3652)
    metadata = sa.MetaData()
    metadata.reflect(old.engine, only=["rotations"])
    with old.engine.begin() as connection:
        connection.execute(sa.update(metadata.tables["rotations"]).values(wake_at=far))
    assert migrate.upgrade(old)
    with old.write() as tx:
        due_rotations = claim_due(tx, THEN + timedelta(days=300), 10, THEN + timedelta(days=301))
        assert {due.rotation_id for due in due_rotations} == {"r1", "r2"}
        assert not claim_due(tx, THEN + timedelta(days=300), 10, THEN + timedelta(days=301))
