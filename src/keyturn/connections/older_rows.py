"""Rows that earlier versions of this server wrote, brought to the form of today. Only servers can do it: they have the keys."""

from datetime import datetime

from keyturn.connections import fingerprints, holders, sealed, store
from keyturn.connections.fingerprints import BATCH, Report, quiet
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers


def complete(database: Database, sealer: Sealer, providers: Providers, now: datetime, report: Report = quiet) -> None:
    """Give every row what it lacks: its fingerprint; its salt by itself; a pointer instead of a copy where it rotates.

    At the start of a server, hourly, and before anything is decided by fingerprints or published. Outside transactions.
    Repeatable; what was cut short goes on where it was. Costs three look-ups in empty indexes when nothing lacks anything.
    """
    fingerprints.complete(database, sealer, providers, now, report)
    renew_all(database, sealer, providers, report)


def renew_all(database: Database, sealer: Sealer, providers: Providers, report: Report = quiet) -> int:
    """Bring connections of before to the form of today; return how many. A row that does not open is reported, and left."""
    count, last = 0, ""
    while True:
        with database.read() as tx:
            rows = store.with_salt_inside(tx, last, BATCH)
        if not rows:
            return count
        with database.write() as tx:
            # So that no rotation publishes meanwhile what is just pointed to.
            holders.lock(tx, *(fingerprints.known_fingerprint(row) for row in rows))
            for row in rows:
                try:
                    count += _renew(tx, sealer, providers, row.id)
                except KeyturnError as error:
                    report("app_connections", row.id, error)
        last = rows[-1].id


def _renew(tx: Tx, sealer: Sealer, providers: Providers, connection_id: str) -> bool:
    connection = store.get(tx, connection_id, lock=True)
    if connection is None or connection.salt is not None:
        return False
    sealed.renew(tx, sealer, providers.method_of(connection), connection, fingerprints.known_fingerprint(connection))
    return True
