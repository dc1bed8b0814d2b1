"""The daily check: the server tests by itself whether each connection still works, and writes the result to the connection."""

from datetime import datetime, timedelta

import structlog

from keyturn.connections import health, rotation_store, store
from keyturn.connections.connection_test import ConnectionTests
from keyturn.connections.domain import Connection
from keyturn.db.unit import Database
from keyturn.errors import KeyturnError
from keyturn.ports.clock import Clock, Ids

log = structlog.get_logger()

SWEEPS_MAY_BE_LATE = timedelta(hours=6)


class DailyCheck:
    """Tests connections as a test by a person does, only that nobody asked for it."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, tests: ConnectionTests) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._tests = tests

    def run(self, connection_id: str) -> None:
        """Try the connection, and write down how it went. Repeatable.

        A connection that rotates is looked at by its rotation, under the lease; here only if that has not come to it for long,
        or if it did not work when it was last looked at: whoever mends that is told so within the hour.
        """
        now = self._clock.now()
        with self._database.read() as tx:
            connection = store.get(tx, connection_id)
            rotates = connection is not None and rotation_store.has_rotation(tx, connection_id)
        if connection is None:
            return
        if rotates and _worked_lately(connection, now):
            with self._database.write() as tx:
                store.change(tx, connection, look_at=health.next_look(now, self._ids.jitter()))
            return
        attempt = self._tests.of(connection, rotates=rotates)
        failure = attempt.make()
        with self._database.write() as tx:
            attempt.remember(tx, failure, self._clock.now())
        if failure and not attempt.may_fail(failure):
            report(connection_id, failure)


def report(connection_id: str, failure: KeyturnError) -> None:
    """Say in the log that a look did not find what it should."""
    log.warning("connection.look_failed", connection_id=connection_id, code=failure.code, reason=failure.message)


def _worked_lately(connection: Connection, now: datetime) -> bool:
    if connection.refused_at or not (connection.check_result or {}).get("ok"):
        return False
    since = now - health.LOOK_EVERY - SWEEPS_MAY_BE_LATE
    return connection.checked_at is not None and since <= connection.checked_at <= now
