"""Which connections and journal rows hold the same credential: their fingerprints, written with the values they are of.

A fingerprint is bound to cloud, tenant, client id, method and value. Rows that have none yet, since an older version of this
server wrote them, get theirs by :func:`complete`, which whoever is about to decide something by fingerprints calls first.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from keyturn.connections import sealed, store
from keyturn.connections.domain import Connection
from keyturn.credentials import rotation_store as journal
from keyturn.crypto.fingerprints import read_or_make
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.ports.provider import Tenant
from keyturn.ports.sealing import Sealer
from keyturn.ports.sign_in import Credentials, SignInMethod
from keyturn.providers.registry import Providers

BATCH = 200


def of(tx: Tx, sealer: Sealer, now: datetime, method: SignInMethod, cloud: str, credentials: Credentials) -> str | None:
    """Return the fingerprint of credentials; None for a grant, which belongs to one connection alone."""
    tenant, value = Tenant(cloud, credentials.tenant_id), method.value(credentials)
    return of_value(tx, sealer, now, method, tenant, credentials.client_id, value)


def of_value(
    tx: Tx, sealer: Sealer, now: datetime, method: SignInMethod, tenant: Tenant, app_id: str, value: Plaintext
) -> str | None:
    """Return the fingerprint of a value as the journal keeps it; None for what nobody shares."""
    text = method.fingerprint(value)
    if text is None:
        return None
    key = read_or_make(tx, sealer, now, _forget_all)
    return key.of([tenant.cloud, tenant.tenant_id.lower(), app_id.lower(), method.key, text])


def _forget_all(tx: Tx) -> None:
    store.forget_fingerprints(tx)
    journal.forget_fingerprints(tx)


# --- rows without one -------------------------------------------------------------------------------------------------

Report = Callable[[str, str, KeyturnError], None]
Row = TypeVar("Row", Connection, journal.UnmarkedCredential)


def quiet(_table: str, _row: str, _error: KeyturnError) -> None:
    """Report nothing: the hourly maintenance does."""


def complete(database: Database, sealer: Sealer, providers: Providers, now: datetime, report: Report = quiet) -> int:
    """Give every row its fingerprint that has none; return how many got one. Outside transactions. Repeatable.

    Costs two look-ups in empty indexes when all have theirs. A value that cannot be read signs in nowhere, so it is left out
    and reported: whoever holds the same credential cannot lose it by that.
    """

    def mark_connection(tx: Tx, row: Connection) -> None:
        method = providers.method_of(row)
        credentials = sealed.opened_in(tx, sealer, method, row)
        fingerprint = of(tx, sealer, now, method, row.cloud, credentials) if credentials else None
        store.change(tx, row, fingerprint=fingerprint, fingerprint_version=row.secret_version)

    def mark_credential(tx: Tx, row: journal.UnmarkedCredential) -> None:
        value, tenant = (
            sealer.open(row.value, SealContext("credentials", row.id, "value")),
            Tenant(row.cloud, row.tenant_id),
        )
        method = providers.method_of_kind(row.credential_kind)
        mark = of_value(tx, sealer, now, method, tenant, row.app_id, value)
        if mark:
            journal.mark(tx, row.id, mark)

    count = _mark_all(database, store.unmarked_connections, mark_connection, partial(report, "app_connections"))
    return count + _mark_all(database, journal.unmarked, mark_credential, partial(report, "credentials"))


def _mark_all(
    database: Database,
    find: Callable[[Tx, str, int], list[Row]],
    mark: Callable[[Tx, Row], None],
    report: Callable[[str, KeyturnError], None],
) -> int:
    count, last = 0, ""
    while True:
        with database.read() as tx:
            rows = find(tx, last, BATCH)
        if not rows:
            return count
        with database.write() as tx:
            for row in rows:
                try:
                    mark(tx, row)
                    count += 1
                except KeyturnError as error:
                    report(row.id, error)
        last = rows[-1].id


def known_fingerprint(connection: Connection) -> str | None:
    """Return the fingerprint of what the connection holds now, if it is known."""
    return connection.fingerprint if connection.fingerprint_version == connection.secret_version else None
