"""The daily check: the server tests by itself whether each connection still works, and writes the result to the connection."""

from datetime import timedelta

import structlog

from keyturn.connections import health, rotation_store, store
from keyturn.connections.connection_test import ConnectionTestRun
from keyturn.connections.domain import Connection
from keyturn.connections.service import Connections
from keyturn.errors import KeyturnError

log = structlog.get_logger()

SWEEPS_MAY_BE_LATE = timedelta(hours=6)


def run_daily_check(connections: Connections, connection_id: str) -> None:
    """Try the connection as a test does, and write down how it went. Repeatable.

    A connection that rotates is looked at by its rotation, under the lease; here only if that has not come to it for long.
    """
    now = connections.clock.now()
    with connections.database.read() as tx:
        connection = store.get(tx, connection_id)
        rotates = connection is not None and rotation_store.has_rotation(tx, connection_id)
    if connection is None:
        return
    if rotates and _seen_lately(connection, connections):
        with connections.database.write() as tx:
            store.change(tx, connection, look_at=health.next_look(now, connections.ids.jitter()))
        return
    attempt = ConnectionTestRun(connections, connection, rotates=rotates)
    failure = attempt.make()
    with connections.database.write() as tx:
        attempt.remember(tx, failure, connections.clock.now())
    if failure:
        report(connection_id, failure)


def report(connection_id: str, failure: KeyturnError) -> None:
    """Say in the log that a look did not find what it should."""
    log.warning("connection.look_failed", connection_id=connection_id, code=failure.code, reason=failure.message)


def _seen_lately(connection: Connection, connections: Connections) -> bool:
    since = connections.clock.now() - health.LOOK_EVERY - SWEEPS_MAY_BE_LATE
    return connection.checked_at is not None and since <= connection.checked_at <= connections.clock.now()
