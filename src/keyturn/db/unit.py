"""Units of work: one transaction per use case or step, never open across a network call."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa

from keyturn.db import access_triggers
from keyturn.db.engine import for_writing
from keyturn.db.sqlite import BUSY_SECONDS, require_room
from keyturn.db.tables import data_keys
from keyturn.db.trouble import COMMITTING, WritersQueue, trouble_of

PATIENCE = float(BUSY_SECONDS)
"""Seconds that a write waits for its turn."""
_LEAST = 0.05
_ROWS_AT_A_TIME = 1000


class Tx:
    """A transaction handle. Stores need one to read or write; they cannot commit."""

    __slots__ = ("_streams", "announced", "changed", "connection", "events", "writing")

    def __init__(self, connection: sa.Connection, *, writing: bool) -> None:
        self.connection = connection
        self.writing = writing
        self.changed = False
        self.announced = False
        self.events: list[tuple[Any, ...]] = []
        """Audit events of this transaction as the database holds them, which are linked into their chains before the commit."""
        self._streams: list[sa.CursorResult[Any]] = []

    @property
    def postgres(self) -> bool:
        return self.connection.dialect.name == "postgresql"

    # A statement that is built once and given its values here costs a third of one that is built for each use.

    def rows(self, statement: sa.sql.expression.Executable, **values: Any) -> list[Mapping[str, Any]]:
        """Run with these values for its parameters and return all rows as mappings."""
        return cast(list[Mapping[str, Any]], self.connection.execute(statement, values).mappings().all())

    def tuples(self, statement: sa.sql.expression.Executable, **values: Any) -> Sequence[Any]:
        """Run with these values for its parameters and return all rows as tuples: for many rows that are read at once."""
        return self.connection.execute(statement, values).all()

    def stream(self, statement: sa.sql.expression.Executable, **values: Any) -> Iterator[Any]:
        """Run with these values for its parameters and yield the rows as tuples, of which few are in memory at a time.

        There are no more of them once the transaction has ended.
        """
        result = self.connection.execute(statement, values, execution_options={"yield_per": _ROWS_AT_A_TIME})
        self._streams.append(result)
        yield from result

    def end_streams(self) -> None:
        """Close what is still read from the database: a cursor that outlives its transaction belongs to nobody."""
        for result in self._streams:
            result.close()

    def one(self, statement: sa.sql.expression.Executable, **values: Any) -> Mapping[str, Any] | None:
        """Run with these values for its parameters and return the first row, or None."""
        return cast(Mapping[str, Any] | None, self.connection.execute(statement, values).mappings().first())

    def run(self, statement: sa.sql.expression.Executable, **values: Any) -> int:
        """Run a write with these values for its parameters and columns; return how many rows it touched."""
        self._note_write(statement)
        return self.connection.execute(statement, values).rowcount

    def run_all(self, statement: sa.sql.expression.Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a write once for each of these rows of values, which all have the same keys."""
        if not self.writing:
            raise RuntimeError("a write inside a read transaction")
        if rows:
            self.changed = True
            self.connection.execute(statement, list(rows))

    def changed_row(self, statement: sa.sql.expression.Executable, **values: Any) -> Mapping[str, Any]:
        """Run a write that touches one row, with these values for its parameters; return what it gives back of the row."""
        self._note_write(statement)
        return cast(Mapping[str, Any], self.connection.execute(statement, values).mappings().one())

    def _note_write(self, statement: sa.sql.expression.Executable) -> None:
        if not self.writing:
            raise RuntimeError("a write inside a read transaction")
        self.changed = True
        table = getattr(statement, "table", None)
        if table is not None and table.name in access_triggers.TABLES:
            self.announced = (
                self.announced or not statement.get_execution_options().keys() >= access_triggers.KEEPS_ACCESS.keys()
            )

    def announce(self) -> None:
        """Let those who listen to this process's database look at once when this transaction is committed."""
        self.announced = True

    def alone_with(self, name: str) -> None:
        """Let no other writing transaction be alone with the same name until this one ends; wait for one that is.

        SQLite has one writer at a time anyway.
        """
        if not self.writing:
            raise RuntimeError("a lock inside a read transaction")
        if self.postgres:
            number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
            self.connection.execute(_LOCK, {"number": number})

    def added_row(
        self, table: sa.Table, columns: tuple[sa.ColumnElement[Any], ...], **values: Any
    ) -> tuple[Any, ...] | None:
        """Add a row as :meth:`add_new` does; return these columns of it as the database holds them, or None."""
        statement = _unless_there_giving(table, columns, self.connection.dialect.name)
        self._note_write(statement)
        row = self.connection.execute(statement, values).first()
        return None if row is None else tuple(row)

    def add_new(self, table: sa.Table, **values: Any) -> bool:
        """Add a row, unless one with the same value where it has to be unique is there; say whether it was added."""
        return self.run(_unless_there(table, self.connection.dialect.name), **values) == 1


_LOCK = sa.select(sa.func.pg_advisory_xact_lock(sa.bindparam("number", type_=sa.BigInteger)))


@lru_cache(maxsize=256)
def _unless_there(table: sa.Table, dialect: str) -> sa.sql.expression.Executable:
    # Loaded here: each costs a start time, and only one of them is needed.
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        # Without the option the number of rows that an insert added is not kept.
        return postgresql.insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite.insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


@lru_cache(maxsize=16)
def _unless_there_giving(
    table: sa.Table, columns: tuple[sa.ColumnElement[Any], ...], dialect: str
) -> sa.sql.expression.Executable:
    insert: Any = _unless_there(table, dialect)
    return cast(sa.sql.expression.Executable, insert.returning(*columns))


class Database:
    """The database of one process."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._held = threading.local()
        # SQLite has one writer at a time and lets the others poll, with pauses up to a tenth of a second: threads of one
        # process queue here instead, and are woken at once.
        self._turn = threading.Lock() if self.is_sqlite else None
        self._wrote_at: float | None = None
        self._listeners: tuple[Callable[[], None], ...] = ()
        self.link: Callable[[Tx], None] = _without_keys
        """Links the events of a transaction into their hash chains. It is called last, since others wait for the heads of the
        chains from then to the commit."""

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A consistent view; nothing may be written."""
        with self._alone(), self.engine.connect() as connection, connection.begin():
            tx = Tx(connection, writing=False)
            try:
                yield tx
            finally:
                tx.end_streams()

    def write(self) -> AbstractContextManager[Tx]:
        """All or nothing: commits when the block ends, rolls back when it raises.

        Waits for its turn, at most ten seconds; then WritersQueue or what the driver raises.

        Rows that others change, too, are locked in one order, so that of two transactions none waits for the other one that
        waits for it (SQLite has one writer at a time anyway): leases of applications; fingerprints; switches of inventories;
        inventories; rotations; connections; claims; projects; secrets; heads of audit chains. Of each kind by their ids.
        """
        return self._write(PATIENCE)

    @contextmanager
    def _write(self, patience: float) -> Iterator[Tx]:
        try:
            with self._alone(), self._in_turn(patience) as remaining, self.engine.connect() as connection:
                with self._waiting(connection, remaining):
                    transaction = for_writing(connection).begin()
                tx, at_commit = Tx(connection, writing=True), False
                try:
                    with transaction:
                        try:
                            yield tx
                        finally:
                            tx.end_streams()
                        if tx.events:
                            self.link(tx)
                        at_commit = True
                except Exception as error:
                    if at_commit:
                        error.add_note(COMMITTING)
                    raise
                if tx.changed:
                    self._wrote_at = time.monotonic()
        except Exception as error:
            if trouble_of(error) is not None:
                self._wrote_at = None
            raise
        if tx.announced:
            for listener in self._listeners:
                listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Let it be called after each commit of this process that was announced, by the thread that wrote: it returns at once."""
        self._listeners += (listener,)

    def check_writable(self, patience: float, trusted: float = 0.0) -> None:
        """Write, without changing anything, unless this process wrote in the last ``trusted`` seconds, and nothing failed since.

        Raises what the write raises, DiskFull where the next larger write would fail, and FolderGone.
        """
        if self.is_sqlite:
            require_room(self.engine.url.database)
        if self._wrote_at is not None and time.monotonic() - self._wrote_at < trusted:
            return
        with self._write(patience) as tx:
            tx.run(_SAME)

    @contextmanager
    def _in_turn(self, patience: float) -> Iterator[float]:
        """Wait for this process's other writers; yield how many seconds of patience are left."""
        if self._turn is None:
            yield patience
            return
        began = time.monotonic()
        if not self._turn.acquire(timeout=patience):
            raise WritersQueue
        try:
            yield patience - (time.monotonic() - began)
        finally:
            self._turn.release()

    @contextmanager
    def _waiting(self, connection: sa.Connection, remaining: float) -> Iterator[None]:
        """Let SQLite wait for writers of other processes only for what is left of the patience."""
        if self._turn is None or remaining > PATIENCE - 1:
            yield
            return
        _busy_timeout(connection, max(remaining, _LEAST))
        try:
            yield
        finally:
            _busy_timeout(connection, BUSY_SECONDS)

    @property
    def in_transaction(self) -> bool:
        """Whether this thread holds a transaction: the transport refuses to send then."""
        return bool(getattr(self._held, "depth", 0))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self.in_transaction:
            raise RuntimeError("a transaction inside a transaction")
        self._held.depth = 1
        try:
            yield
        finally:
            self._held.depth = 0

    def close(self) -> None:
        self.engine.dispose()


def _without_keys(_tx: Tx) -> None:
    raise RuntimeError("an audit event is written without the key of its hash chain: open the keyring first")


_SAME = sa.update(data_keys).values(seals=data_keys.c.seals)


def _busy_timeout(connection: sa.Connection, seconds: float) -> None:
    driver = connection.connection.dbapi_connection
    if driver is not None:
        driver.cursor().execute(f"PRAGMA busy_timeout={round(seconds * 1000)}")
