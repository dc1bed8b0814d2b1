"""What is particular to PostgreSQL: flows that vanish are noticed, nothing waits for ever, poolers are told apart, and a moment
that Python has no value for does not fail its query.

A flow vanishes when the server moves to another machine, or when a firewall or a balancer forgets it: nobody says a word,
and whoever waits for an answer would wait for a quarter of an hour. What the database address sets itself stays as it is.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL

from keyturn.db.unread import Unread
from keyturn.errors import Misconfigured

FLOW: Mapping[str, int] = MappingProxyType(
    {
        "connect_timeout": 5,
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
)
"""libpq's settings of a connection: one whose packets are lost ends after about ten seconds."""
ENCODING = "UTF8"
"""Of the database and of a connection: another one has no letters for some texts, and SQL_ASCII does not know which they are."""
LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "statement_timeout": "15s",
        "lock_timeout": "10s",
        # A process that vanished in a transaction must not keep its locks until the server notices.
        "idle_in_transaction_session_timeout": "15s",
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
    }
)
"""The server's settings of a session. Behind a pooler the first three are set for each transaction."""
ZONE: Mapping[str, str] = MappingProxyType({"TimeZone": "UTC"})
"""In a zone east of it the last day of the calendar would be shown in a year that Python does not know."""
POOL_SECONDS = 10
"""For so long a thread waits for a connection of this process."""
_PER_TRANSACTION = 3
_POOLED = "keyturn_pooled"


def open_pool(url: URL, *, pool_size: int, max_overflow: int) -> sa.Engine:
    """Return an engine for this address. Connects lazily.

    A pooler between this process and the server is found by its first answer. In transaction mode it gives each transaction
    another session, so nothing may be left in one: no prepared statements, and limits for each transaction.
    """
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=POOL_SECONDS,
        hide_parameters=True,
        connect_args={"client_encoding": ENCODING}
        | {name: value for name, value in FLOW.items() if name not in url.query},
    )
    options = str(url.query.get("options", ""))
    limits = {name: value for name, value in LIMITS.items() if name not in options}
    each = {name: value for name, value in list(LIMITS.items())[:_PER_TRANSACTION] if name in limits}
    session, transaction = _setting({**limits, **ZONE}, local=False), _setting({**each, **ZONE}, local=True)

    def greet(connection: Any, record: Any) -> None:
        _require_encoding(connection)
        connection.adapters.register_loader("timestamptz", _tolerant_loader())
        connection.autocommit = True  # one round trip instead of three
        row = connection.execute(f"{session} WHERE pg_backend_pid() = {int(connection.info.backend_pid)}").fetchone()
        connection.autocommit = False
        if row is None:
            record.info[_POOLED] = True
            connection.prepare_threshold = None

    def begin(connection: Any) -> None:
        if connection.info.get(_POOLED):
            connection.cursor().execute(transaction)

    pool = engine.pool

    def give_back(_connection: Any, record: Any) -> None:
        if engine.pool is not pool:  # it was disposed of while this one was in use: the library would leave it open
            record.invalidate()

    event.listen(engine, "connect", greet)
    event.listen(engine, "checkin", give_back)
    # Not the library's event: see open_engine.
    engine.dialect.do_begin = begin  # type: ignore[assignment, method-assign]
    return engine


def without_limits(connection: sa.Connection) -> None:
    """Let this transaction take as long as it needs, e.g. to change a large table while others wait for it."""
    connection.exec_driver_sql(_setting(dict.fromkeys(list(LIMITS)[:_PER_TRANSACTION], "0"), local=True))


def _require_encoding(connection: Any) -> None:
    """Raise Misconfigured, with the connection closed, for a database in another encoding. A pooler may leave it unsaid."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding in {None, ENCODING}:
        return
    name = connection.info.dbname
    connection.close()
    raise Misconfigured(
        f"The database '{name}' has the encoding {encoding}, in which not every text can be stored: {ENCODING} is needed.",
        code="database.encoding",
        fix=f"Make another one, and let DB_CONNECTION_URI lead to it: CREATE DATABASE keyturn ENCODING '{ENCODING}' TEMPLATE"
        f" template0; what is in this one moves with pg_dump --encoding={ENCODING} and psql.",
    )


@functools.cache
def _tolerant_loader() -> type[Any]:
    """Return what reads a ``timestamptz``: ``infinity``, and years that Python does not know, come as ``Unread``."""
    import psycopg  # noqa: PLC0415 - with SQLite the driver is not loaded
    from psycopg.adapt import Loader  # noqa: PLC0415

    usual: Any = psycopg.adapters.get_loader(psycopg.adapters.types["timestamptz"].oid, psycopg.pq.Format.TEXT)

    class Tolerant(Loader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._load = usual(oid, context).load

        def load(self, data: Any) -> Any:
            try:
                return self._load(data)
            except psycopg.DataError:
                return Unread(bytes(data).decode("ascii", "replace"))

    return Tolerant


def _setting(values: Mapping[str, str], *, local: bool) -> str:
    """Return the statement that sets these values: constants of this file."""
    calls = [f"set_config('{name}', '{value}', {str(local).lower()})" for name, value in values.items()]
    return f"SELECT {', '.join(calls)}"
