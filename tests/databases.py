"""The fixture ``database``: every test that uses it runs on SQLite and on PostgreSQL.

The tables are made once per process and database kind, and copied for each test: about 10 ms on SQLite, 50 ms on
PostgreSQL. A test that needs only one kind uses ``sqlite_database(folder)`` or ``postgres_database()`` directly.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from keyturn.db import triggers
from keyturn.db.engine import for_writing, open_engine, parse_url
from keyturn.db.tables import metadata
from keyturn.db.unit import Database
from tests.postgres import fresh_database

KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with all tables, closed and thrown away after the test."""
    with database_of_kind(request.param, tmp_path) as opened:
        yield opened


@contextmanager
def database_of_kind(kind: str, folder: Path) -> Iterator[Database]:
    """Yield an empty database with all tables; SQLite's file is ``folder/keyturn.db``."""
    with sqlite_database(folder) if kind == "sqlite" else postgres_database() as opened:
        yield opened


@contextmanager
def sqlite_database(folder: Path) -> Iterator[Database]:
    path = folder / "keyturn.db"
    path.write_bytes(_sqlite_template())
    engine = open_engine(parse_url(f"sqlite:///{path}"))
    # What dies in tests is the process, never the machine: waiting for the disk would prove nothing.
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    opened = Database(engine)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def postgres_database() -> Iterator[Database]:
    with fresh_database(create_tables, template=_postgres_template()) as url:
        opened = Database(open_engine(parse_url(url)))
        try:
            yield opened
        finally:
            opened.close()


def wipe(database: Database) -> None:
    """Empty all tables of a test's database, the append-only ones too."""
    names = [table.name for table in reversed(metadata.sorted_tables)]
    with database.write() as tx:
        run = tx.connection.exec_driver_sql
        if tx.postgres:
            run("SET LOCAL session_replication_role = replica")  # triggers keep quiet
            run("; ".join(f"DELETE FROM {name}" for name in names))  # few rows: TRUNCATE takes forty times as long
            return
        run("DROP TRIGGER IF EXISTS audit_events_no_delete")
        for name in names:
            run(f"DELETE FROM {name}")
        for statement in triggers.SQLITE:
            if "no_delete" in statement:
                run(statement)


def create_tables(url: str) -> None:
    """Make all tables and triggers in the empty database at this address."""
    engine = open_engine(parse_url(url))
    with engine.connect() as connection, for_writing(connection).begin():
        metadata.create_all(connection)
        for statement in triggers.statements(engine.dialect.name):
            connection.exec_driver_sql(statement)
    engine.dispose()


@cache
def _sqlite_template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        create_tables(f"sqlite:///{path}")
        return path.read_bytes()  # the last connection has closed, so the write-ahead log is folded in


@cache
def _postgres_template() -> str:
    # Named after the schema, so that a server still running from an older checkout never lends its tables.
    tables = [str(CreateTable(table).compile(dialect=postgresql.dialect())) for table in metadata.sorted_tables]
    text = "\n".join([*tables, *triggers.POSTGRESQL])
    return f"keyturn_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
