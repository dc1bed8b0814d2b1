"""All rows out of a database and into another one, of either kind: values as JSON has them, tables in an order in which each
refers to those before it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db import migrate
from keyturn.db.postgres import without_limits
from keyturn.db.tables import metadata, processes
from keyturn.db.types import Moment
from keyturn.db.unit import Database, Tx
from keyturn.db.unread import Unread
from keyturn.kit.dataclasses import dataclass

_ROWS_AT_A_TIME = 500
Value = str | int | bool | float | None
Row = Sequence[Value]


@dataclass(frozen=True)
class TableRows:
    """The rows of one table. They are read while they are gone through, once."""

    name: str
    columns: tuple[str, ...]
    rows: Iterator[Row]


@contextmanager
def snapshot(database: Database) -> Iterator[Tx]:
    """A view of the whole database as it is at one moment, for as long as it is needed. Nobody waits for it."""
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            if not database.is_sqlite:
                without_limits(connection)
            tx = Tx(connection, writing=False)
            try:
                yield tx
            finally:
                tx.end_streams()


def read(tx: Tx, left_out: frozenset[str]) -> Iterator[TableRows]:
    """Yield the tables of this version, but those left out."""
    for table in metadata.sorted_tables:
        if table.name not in left_out:
            yield TableRows(table.name, tuple(column.name for column in table.columns), _rows(tx, table))


def _rows(tx: Tx, table: sa.Table) -> Iterator[Row]:
    # Without their types: values that cannot be read are carried over as they are.
    columns: list[sa.ColumnElement[Any]] = [sa.column(column.name) for column in table.columns]
    if tx.postgres:
        documents = [isinstance(column.type, sa.JSON) for column in table.columns]
        columns = [
            sa.cast(each, sa.Text) if is_json else each for each, is_json in zip(columns, documents, strict=True)
        ]
    flags = [place for place, column in enumerate(table.columns) if isinstance(column.type, sa.Boolean)]
    moments = [place for place, column in enumerate(table.columns) if isinstance(column.type, Moment)]
    for raw in tx.stream(sa.select(*columns).select_from(sa.table(table.name))):
        row = list(raw)
        if tx.postgres:
            for place in moments:
                row[place] = _moment_text(row[place])
        else:
            for place in flags:
                row[place] = bool(row[place]) if row[place] in (0, 1) else row[place]
        yield row


def _moment_text(value: datetime | Unread | None) -> str | None:
    """Return the moment as SQLite holds it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return value.text if isinstance(value, Unread) else None


def seen_since(database: Database, moment: datetime) -> bool:
    """Say whether a process gave a sign of life since then, in a database of whatever version."""
    with database.engine.connect() as connection:
        if not sa.inspect(connection).has_table(processes.name):
            return False
        return (
            connection.execute(sa.select(processes.c.id).where(processes.c.seen_at >= moment).limit(1)).first()
            is not None
        )


def rebuild(
    database: Database, version: str, fill: Callable[["Loader"], None], finish: Callable[[Tx], None], *, replace: bool
) -> None:
    """Make the tables as this version had them, let ``fill`` load them, bring them up to date, let ``finish`` write more.

    All or nothing, in one transaction. With ``replace`` the tables that are there go before, else there must be none. Tables of
    the durable engine stay. Raises what :func:`keyturn.db.migrate.check` and the loading raise.
    """
    with migrate.migrating(database) as connection:
        if replace:
            _drop_all(connection)
        migrate.require_empty(connection)
        migrate.run_to(connection, version)
        fill(Loader(connection))
        migrate.run_to(connection)
        finish(Tx(connection, writing=True))


def _drop_all(connection: sa.Connection) -> None:
    there = set(sa.inspect(connection).get_table_names())
    names = [*(table.name for table in reversed(metadata.sorted_tables)), migrate.VERSION_TABLE]
    names = [_quoted(name) for name in names if name in there]
    if connection.dialect.name == "sqlite":
        for name in names:
            connection.exec_driver_sql(f"DROP TABLE {name}")
        return
    if names:
        connection.exec_driver_sql(f"DROP TABLE {', '.join(names)} CASCADE")
    for function in connection.exec_driver_sql(_FUNCTIONS).scalars().all():
        connection.exec_driver_sql(f"DROP FUNCTION {function} CASCADE")


_FUNCTIONS = (
    "SELECT oid::regprocedure::text FROM pg_proc"
    " WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'keyturn\\_%%'"
)


class Loader:
    """Fills empty tables, in the caller's transaction. Triggers do not act meanwhile."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._columns: Mapping[str, set[str]] = migrate.columns_of(connection)

    def knows(self, table: str, columns: Sequence[str]) -> bool:
        """Whether there is such a table with such columns: names are put into statements."""
        return table in self._columns and set(columns) <= self._columns[table] and len(set(columns)) == len(columns)

    def load(self, tables: Iterable[TableRows]) -> None:
        """Load the tables, which :meth:`knows`. Raises what the database raises for a row that it does not take."""
        if self._connection.dialect.name == "sqlite":
            self._load_sqlite(tables)
        else:
            self._load_postgres(tables)

    def _load_sqlite(self, tables: Iterable[TableRows]) -> None:
        run = self._connection.exec_driver_sql
        triggers = run("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
        for name, _ in triggers:
            run(f"DROP TRIGGER {_quoted(name)}")
        for table in tables:
            statement = (
                f"INSERT INTO {_quoted(table.name)} ({', '.join(map(_quoted, table.columns))})"  # noqa: S608 - names of our own
                f" VALUES ({', '.join('?' * len(table.columns))})"
            )
            for rows in _batches(table.rows):
                run(statement, rows)
        for _, sql in triggers:
            run(sql)

    def _load_postgres(self, tables: Iterable[TableRows]) -> None:
        run, names = self._connection.exec_driver_sql, []
        driver: Any = self._connection.connection.driver_connection
        for table in tables:
            names.append(table.name)
            run(f"ALTER TABLE {_quoted(table.name)} DISABLE TRIGGER USER")
            copy = f"COPY {_quoted(table.name)} ({', '.join(map(_quoted, table.columns))}) FROM STDIN"
            with driver.cursor() as cursor, cursor.copy(copy) as rows:
                for row in table.rows:
                    rows.write_row(row)
        for name in names:
            run(f"ALTER TABLE {_quoted(name)} ENABLE TRIGGER USER")
        for table_name, column, sequence in run(_SEQUENCES).all():
            highest = f"SELECT max({_quoted(column)}) FROM {_quoted(table_name)}"  # noqa: S608 - names of our own
            run(f"SELECT setval('{sequence}', coalesce(({highest}), 1), ({highest}) IS NOT NULL)")


_SEQUENCES = (
    "SELECT table_name, column_name, sequence FROM (SELECT table_name, column_name,"
    " pg_get_serial_sequence(quote_ident(table_name), column_name) AS sequence"
    " FROM information_schema.columns WHERE table_schema = current_schema()) AS each WHERE sequence IS NOT NULL"
)


def _batches(rows: Iterator[Row]) -> Iterator[list[tuple[Value, ...]]]:
    batch: list[tuple[Value, ...]] = []
    for row in rows:
        batch.append(tuple(row))
        if len(batch) == _ROWS_AT_A_TIME:
            yield batch
            batch = []
    if batch:
        yield batch


def _quoted(name: str) -> str:
    if '"' in name:
        raise ValueError("a name of a table, column or trigger with a quotation mark")
    return f'"{name}"'
