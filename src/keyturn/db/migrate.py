"""Brings the tables of a database to the version this code needs. Alembic is imported only when something must change."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from keyturn.db.engine import for_writing
from keyturn.db.postgres import without_limits
from keyturn.db.tables import metadata
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured, Refused
from keyturn.ports.clock import Clock

VERSION_TABLE = "alembic_version"
_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_310_563_216_849_212_717  # any number; the same in all versions, so that old and new exclude each other


class SchemaState(StrEnum):
    EMPTY = "empty"
    UP_TO_DATE = "up to date"
    BEHIND = "behind"


def versions() -> list[str]:
    """Return the versions this code knows, the oldest first. A version is the number its file name begins with."""
    return sorted(path.name.partition("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*_*.py"))


def newest() -> str:
    return versions()[-1]


def current(database: Database) -> str | None:
    """Return the version of the database; None when it has none."""
    with database.engine.connect() as connection:
        return _version(connection)


@cache
def _known() -> frozenset[str]:
    """What this process knows is what it knew when it started: an upgrade may replace its files meanwhile."""
    return frozenset(versions())


def newer_version(database: Database) -> str | None:
    """Return the version of the database if this process does not know it, as a newer one has migrated it since."""
    version = current(database)
    return None if version is None or version in _known() else version


def check(database: Database) -> SchemaState:
    """Compare the database with this code, by three short queries when all is well.

    Raises Misconfigured when the database was made by a newer version, has our tables without a version, or lacks a part of
    the tables that its version has.
    """
    _known()
    with database.engine.connect() as connection:
        version = _version(connection)
        revisions = versions()
        if version == revisions[-1]:
            _require_columns(connection, revisions[-1])
            return SchemaState.UP_TO_DATE
        if version is None:
            return _unversioned(connection)
    if version not in revisions:
        raise Misconfigured(
            f"The database is at version {version}; this server knows versions up to {revisions[-1]} only.",
            code="database.ahead",
            fix="Start the newer version of Keyturn that made it, or restore a backup made before the upgrade.",
        )
    return SchemaState.BEHIND


def upgrade(database: Database) -> list[str]:
    """Run the missing migrations in one transaction and return their versions. Repeatable.

    Processes that do this at once wait for each other; the later ones find nothing to do. Raises as :func:`check`.
    """
    check(database)
    with migrating(database) as connection:
        before = _version(connection)
        if before == newest():
            return []
        run_to(connection)
    return [version for version in versions() if before is None or version > before]


def copy_of(database: Database, clock: Clock) -> Path:
    """Write a consistent copy of the SQLite database beside it, readable by the owner only, and return its path."""
    source = Path(database.engine.url.database or "")
    stamp = clock.now().strftime("%Y%m%dT%H%M%S%f")
    copy = source.with_name(f"{source.name}.before-{newest()}-{stamp}")
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    # VACUUM runs outside transactions, so past SQLAlchemy, which begins one by itself.
    raw = database.engine.raw_connection()
    try:
        raw.cursor().execute("VACUUM INTO ?", (str(copy),))
    except BaseException:
        copy.unlink()
        raise
    finally:
        raw.close()
    return copy


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE))).scalar()


_COLUMNS = {
    "sqlite": "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'",
    "postgresql": "SELECT r.relname, a.attname FROM pg_class r JOIN pg_attribute a ON a.attrelid = r.oid"
    " WHERE r.relnamespace = current_schema()::regnamespace AND r.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped",
}


def require_empty(connection: sa.Connection) -> None:
    """Raise Refused when the database has tables of Keyturn."""
    if _version(connection) is not None or set(columns_of(connection)) & set(metadata.tables):
        raise Refused(
            "The database is not empty: it has tables of Keyturn.",
            code="backup.not_empty",
            fix="Restore into an empty database, or add --replace NAME with the name of this one: all it holds is then replaced.",
        )


def columns_of(connection: sa.Connection) -> dict[str, set[str]]:
    """Return the names of the columns of each table that there is."""
    there: dict[str, set[str]] = {}
    for table, column in connection.exec_driver_sql(_COLUMNS[connection.dialect.name]):
        there.setdefault(str(table), set()).add(str(column))
    return there


def _require_columns(connection: sa.Connection, version: str) -> None:
    """Builds between two releases have changed what a version means: their databases would fail later, query by query."""
    there = columns_of(connection)
    lacking = sorted(
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if column.name not in there.get(table.name, ())
    )
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise Misconfigured(
            f"The database says that it is at version {version}, but lacks {', '.join(lacking[:3])}{more}.",
            code="database.tables",
            fix="It was made by a build that was not released, or changed by hand: go on with the build that made it, "
            "or restore a backup.",
        )


def _unversioned(connection: sa.Connection) -> SchemaState:
    ours = sorted(set(sa.inspect(connection).get_table_names()) & set(metadata.tables))
    if ours:
        raise Misconfigured(
            f"The database has tables of Keyturn's names ({', '.join(ours[:3])}) but no version.",
            code="database.unversioned",
            fix="Give Keyturn a database of its own, or restore the table alembic_version from a backup.",
        )
    return SchemaState.EMPTY


@contextmanager
def migrating(database: Database) -> Iterator[sa.Connection]:
    """One transaction in which the tables may be changed; who else would change them waits. References are checked at its end."""
    with database.engine.connect() as connection:
        if database.is_sqlite:
            # Rebuilding a table would otherwise delete the rows that refer to it. No effect inside a transaction.
            _foreign_keys(connection, on=False)
        try:
            with for_writing(connection).begin():
                if not database.is_sqlite:
                    without_limits(connection)
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                yield connection
                if database.is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise RuntimeError("the migration left rows that refer to nothing; nothing was changed")
        finally:
            if database.is_sqlite:
                _foreign_keys(connection, on=True)


def _foreign_keys(connection: sa.Connection, *, on: bool) -> None:
    raw = connection.connection.driver_connection
    if raw is not None:
        raw.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


def run_to(connection: sa.Connection, version: str = "head") -> None:
    """Run the migrations up to this one that were not run yet, in the caller's transaction."""
    from alembic import command  # noqa: PLC0415 - a server that is up to date starts without it
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, version)
