"""The fixture ``database``: every test that uses it runs on SQLite and on PostgreSQL.

The tables are made once per process and database kind. On SQLite they are copied for each test, which takes about 10 ms;
PostgreSQL, where that takes longer than most tests, gives one database to test after test, emptied. A test that needs only
one kind uses ``sqlite_database(folder)`` or ``postgres_database()`` directly.
"""

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from sqlalchemy.util import LRUCache

from keyturn.audit import chain_store
from keyturn.audit.chain import WITHOUT_ORGANIZATION, Chain, seal_chain
from keyturn.audit.linking import Linker
from keyturn.crypto.audit_keys import ChainKey
from keyturn.db import migrate, triggers
from keyturn.db.engine import for_writing, open_engine, parse_url
from keyturn.db.tables import audit_chains, metadata
from keyturn.db.unit import Database, Tx
from keyturn.kit.clock import SystemClock
from tests.postgres import drop_database, make_database

KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with all tables, closed and thrown away after the test."""
    with database_of_kind(request.param, tmp_path) as opened:
        yield opened


@contextmanager
def database_of_kind(kind: str, folder: Path) -> Iterator[Database]:
    """Yield an empty database with all tables; SQLite's file is ``folder/keyturn.db``."""
    with sqlite_database(folder) if kind == "sqlite" else postgres_database(connected=True) as opened:
        yield opened


@contextmanager
def sqlite_database(folder: Path) -> Iterator[Database]:
    path = folder / "keyturn.db"
    path.write_bytes(_sqlite_template())
    engine = with_shared_statements(open_engine(parse_url(f"sqlite:///{path}")))
    # What dies in tests is the process, never the machine: waiting for the disk would prove nothing.
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    opened = with_chain_key(Database(engine))
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def postgres_database(*, connected: bool = False) -> Iterator[Database]:
    """``connected``: some connections may be open from the beginning, where nobody counts them."""
    kept = _idle.pop() if _idle else KeptEngine(make_database(create_tables, template=_postgres_template()))
    if not connected:
        kept.reopen()
    try:
        yield with_chain_key(Database(kept.engine))
    finally:
        kept.give_back()


CHAIN_KEY = ChainKey(bytes(range(32)))


class FixedKeyLinker(Linker):
    """Links audit events without a keyring; the first chain begins as opening one would have it."""

    def __init__(self, *, begun: bool = False) -> None:
        super().__init__(CHAIN_KEY, SystemClock())
        self._begun = begun

    def __call__(self, tx: Tx) -> None:
        if not self._begun and not chain_store.chains(tx, [WITHOUT_ORGANIZATION]):
            tx.add_new(audit_chains, **asdict(seal_chain(self.key, Chain(WITHOUT_ORGANIZATION))))
        self._begun = True
        super().__call__(tx)


def with_chain_key(database: Database, *, begun: bool = False) -> Database:
    """Let audit events be written without a keyring; ``begun``: the first chain is not begun again."""
    database.link = FixedKeyLinker(begun=begun)
    return database


_first_engines: dict[str, sa.Engine] = {}


def with_shared_statements(engine: sa.Engine) -> sa.Engine:
    """Let all engines of this process compile each statement once, not each for itself: that takes longer than most tests."""
    name = engine.dialect.name
    if name not in _first_engines:
        engine.connect().close()  # whereupon its dialect knows the server
        engine._compiled_cache = LRUCache(2000)
        _first_engines[name] = engine
    first = _first_engines[name]
    engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine


_SHAPE = (
    "SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM pg_trigger)"
)
_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> ALL(%s)"


class KeptEngine:
    """A database that serves test after test, and its open connections: a new one takes the server longer than most tests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._open()

    def reopen(self) -> None:
        self.engine.dispose()
        self._open()

    def _open(self) -> None:
        engine, pids = open_engine(parse_url(self.url)), [0]
        # Before the first connection: one that is not known would be ended as somebody else's, and stay in the pool.
        event.listen(engine, "connect", lambda new, _record: pids.append(new.info.backend_pid))
        self.engine, self._pids = with_shared_statements(engine), pids
        self._pool = self.engine.pool

    def give_back(self) -> None:
        """Empty the database for the next test, or drop it when this one changed its tables."""
        if self.engine.pool is not self._pool or self._pool.checkedout():
            self.reopen()  # the test closed it, or a thread of it is still at work
        try:
            as_new = self._empty()
        except sa.exc.DBAPIError:  # its connections broke
            as_new = False
        if as_new:
            _idle.append(self)
        else:
            self.engine.dispose()
            drop_database(self.url)

    def _empty(self) -> bool:
        with self.engine.connect() as connection, connection.begin():
            run = connection.exec_driver_sql
            run(_OTHERS, (self._pids,))
            if run(_SHAPE).fetchone() != _postgres_shape():
                return False
            run(_EMPTY_POSTGRES)
            run("SELECT setval(seqrelid, seqstart, false) FROM pg_sequence")
        return True


_idle: list[KeptEngine] = []
"""Databases of this process that are empty and that nobody uses."""


@cache
def _postgres_shape() -> tuple[int, ...] | None:
    url = make_database(create_tables, template=_postgres_template())
    with psycopg.connect(url) as connection:
        shape = connection.execute(_SHAPE).fetchone()
    _idle.append(KeptEngine(url))
    return shape


_TABLES = [table.name for table in reversed(metadata.sorted_tables)]
_EMPTY_POSTGRES = "; ".join(
    # Triggers keep quiet. There are few rows: TRUNCATE takes forty times as long.
    ["SET LOCAL session_replication_role = replica", *(f"DELETE FROM {name}" for name in _TABLES)]
)


def wipe(database: Database) -> None:
    """Empty all tables of a test's database, the append-only ones too."""
    database.link = FixedKeyLinker()
    with database.write() as tx:
        run = tx.connection.exec_driver_sql
        if tx.postgres:
            run(_EMPTY_POSTGRES)
            return
        for name in ("audit_events", "audit_floors", "audit_links", "audit_chains"):
            run(f"DROP TRIGGER IF EXISTS {name}_no_delete")
        for name in _TABLES:
            run(f"DELETE FROM {name}")
        for statement in triggers.SQLITE:
            if "no_delete" in statement:
                run(statement)


_COUNTS = sa.union_all(
    *(
        sa.select(sa.literal(name).label("name"), sa.func.count().label("n")).select_from(metadata.tables[name])
        for name in _TABLES
    )
)


def rows_by_table(tx: Tx) -> dict[str, int]:
    """Return how many rows there are in each table."""
    return {row["name"]: row["n"] for row in tx.rows(_COUNTS)}


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


# --- migrations -------------------------------------------------------------------------------------------------------


@contextmanager
def migrated_in_one_go() -> Iterator[None]:
    """Fill empty embedded databases of this process with what all migrations make, which takes a twentieth of their time."""

    def fill(connection: sa.Connection, version: str = "head") -> None:
        if version != "head" or connection.dialect.name != "sqlite" or sa.inspect(connection).get_table_names():
            _run_to(connection, version)
            return
        for statement in _all_migrations():
            connection.exec_driver_sql(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "run_to", fill)
        yield


@contextmanager
def migrated_step_by_step() -> Iterator[None]:
    """Run each migration again, for tests of the migrations themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "run_to", _run_to)
        yield


_run_to = migrate.run_to


@cache
def _all_migrations() -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "migrated.db"
        opened = Database(open_engine(parse_url(f"sqlite:///{path}")))
        with migrate.migrating(opened) as connection:
            _run_to(connection)
        opened.close()
        with closing(sqlite3.connect(path)) as made:
            return tuple(text for text in made.iterdump() if text not in {"BEGIN TRANSACTION;", "COMMIT;"})
