"""Which connections and journal rows hold the same credential: their fingerprints, written with the values they are of.

A fingerprint is bound to cloud, tenant, client id, method and value. Rows that have none yet, since an older version of this
server wrote them, get theirs by :func:`complete`, which whoever is about to decide something by fingerprints calls first.
"""

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from keyturn.connections import sealed, store
from keyturn.connections.domain import Connection, Method, OAuthGrant, StoredCredentials, method_of, value_of
from keyturn.crypto.fingerprints import FingerprintKey, read_or_make
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.ports.provider import SigningCertificate, Tenant
from keyturn.ports.sealing import Sealer

BATCH = 200
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def of(tx: Tx, sealer: Sealer, now: datetime, cloud: str, credentials: StoredCredentials) -> str | None:
    """Return the fingerprint of credentials; None for a grant, which belongs to one connection alone."""
    if isinstance(credentials, OAuthGrant):
        return None
    tenant = Tenant(cloud, credentials.tenant_id)
    return of_value(tx, sealer, now, tenant, credentials.client_id, method_of(credentials).value, value_of(credentials))


def of_value(tx: Tx, sealer: Sealer, now: datetime, tenant: Tenant, app_id: str, kind: str, value: Plaintext) -> str:
    """Return the fingerprint of a value as the journal keeps it. ``kind`` is the method that signs in with it."""
    return _fingerprint(read_or_make(tx, sealer, now), tenant, app_id, kind, value)


def _fingerprint(key: FingerprintKey, tenant: Tenant, app_id: str, kind: str, value: Plaintext) -> str:
    text = value.reveal()
    if kind == Method.CERTIFICATE:
        text = _leaf(SigningCertificate.unpacked(value).chain)
    return key.of([tenant.cloud, tenant.tenant_id.lower(), app_id.lower(), kind, text])


def _leaf(chain: str) -> str:
    """Return SHA-256 of the certificate itself, which comes first: what else is pasted with it does not matter."""
    body = chain.partition(_BEGIN)[2].partition(_END)[0]
    return hashlib.sha256(base64.b64decode("".join(body.split()))).hexdigest()


# --- rows without one -------------------------------------------------------------------------------------------------

Report = Callable[[str, str, KeyturnError], None]
Row = TypeVar("Row", Connection, store.UnmarkedCredential)


def quiet(_table: str, _row: str, _error: KeyturnError) -> None:
    """Report nothing: the hourly maintenance does."""


def complete(database: Database, sealer: Sealer, now: datetime, report: Report = quiet) -> int:
    """Give every row its fingerprint that has none; return how many got one. Outside transactions. Repeatable.

    Costs two look-ups in empty indexes when all have theirs. A value that cannot be read signs in nowhere, so it is left out
    and reported: whoever holds the same credential cannot lose it by that.
    """

    def mark_connection(tx: Tx, row: Connection) -> None:
        credentials = sealed.opened_in(tx, sealer, row)
        fingerprint = of(tx, sealer, now, row.cloud, credentials) if credentials else None
        store.change(tx, row, fingerprint=fingerprint, fingerprint_version=row.secret_version)

    def mark_credential(tx: Tx, row: store.UnmarkedCredential) -> None:
        value, tenant = (
            sealer.open(row.value, SealContext("credentials", row.id, "value")),
            Tenant(row.cloud, row.tenant_id),
        )
        store.mark_credential(tx, row.id, of_value(tx, sealer, now, tenant, row.app_id, row.credential_kind, value))

    count = _each(database, store.unmarked, mark_connection, partial(report, "app_connections"))
    return count + _each(database, store.unmarked_credentials, mark_credential, partial(report, "credentials"))


def _each(
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


def marked(connection: Connection) -> str | None:
    """Return the fingerprint of what the connection holds now, if it is known."""
    return connection.fingerprint if connection.fingerprint_version == connection.secret_version else None
