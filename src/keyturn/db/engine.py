"""Opens the database: one SQLite file in WAL mode, or PostgreSQL."""

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url

from keyturn.db.postgres import POOL_SECONDS, open_pool
from keyturn.db.sqlite import BUSY_SECONDS, add_functions, require_version
from keyturn.db.unread import document
from keyturn.errors import Misconfigured

OVERFLOW = 8
IDLE_SECONDS = 1.0
"""A connection to PostgreSQL that was not used for so long is asked whether it still works before it is used again."""
_WRITING = "keyturn_writing"


def parse_url(text: str) -> URL:
    """Read a database address; ``postgres://`` and ``postgresql://`` mean psycopg 3.

    Raises Misconfigured for anything but SQLite and PostgreSQL.
    """
    try:
        url = make_url(text)
    except (sa.exc.ArgumentError, ValueError):  # a ValueError's text may quote a part of the password
        raise Misconfigured(
            "The database address cannot be read.",
            code="config.database_url",
            fix="Set DB_CONNECTION_URI to postgresql://user:password@host/name, or leave it unset for the embedded database.",
        ) from None
    if url.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        return url.set(drivername="sqlite")
    raise Misconfigured(
        f"The database kind {url.drivername!r} is not supported.",
        code="config.database_kind",
        fix="Use PostgreSQL (postgresql://...) or SQLite (sqlite:///path).",
    )


def open_engine(url: URL, *, pool_size: int = 24) -> sa.Engine:
    """Return an engine whose connections are set up as the rest of the code expects. Connects lazily.

    Raises Misconfigured when this Python's SQLite is too old.

    ``pool_size`` connections stay open once they were needed: as many as threads work at the same time.
    """
    if url.get_backend_name() == "sqlite":
        require_version()
        engine = sa.create_engine(
            url,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            pool_size=pool_size,
            max_overflow=OVERFLOW,
            pool_timeout=POOL_SECONDS,
            hide_parameters=True,
            json_deserializer=document,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        # The library's event for this costs each statement a sixth of its time, also where nobody listens to it.
        engine.dialect.do_begin = _begin_sqlite  # type: ignore[assignment, method-assign]
        return engine
    engine = open_pool(url, pool_size=pool_size, max_overflow=OVERFLOW)
    ask_idle_connections(engine)
    return engine


def for_writing(connection: sa.Connection) -> sa.Connection:
    """Let the next transaction of this connection be one that writes."""
    connection.info[_WRITING] = True
    return connection


def ask_idle_connections(engine: sa.Engine) -> None:
    """Replace connections that broke while nobody used them: the server was restarted, or a firewall forgot them.

    Asking before every use, which the library offers, is one more round trip for each transaction of a busy server.
    """

    def check_in(_connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    def check_out(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("idle_since", time.monotonic()) < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise sa.exc.InvalidatePoolError from error  # all connections of before are taken for broken, too

    event.listen(engine, "checkin", check_in)
    event.listen(engine, "checkout", check_out)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver's guess
    add_functions(connection)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode=WAL")
    # A published secret must survive a power cut: its predecessor may be revoked a second later.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A transaction that reads first and writes later could fail half-way; writers therefore take the lock at once.
    connection.cursor().execute("BEGIN IMMEDIATE" if connection.info.pop(_WRITING, False) else "BEGIN")
