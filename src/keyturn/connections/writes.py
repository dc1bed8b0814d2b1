"""What other rooms write to a connection, within a transaction of theirs."""

from datetime import datetime

from keyturn.connections import fingerprints, health, store
from keyturn.connections.domain import end_of, facts_of, pack, renewed, seal_context, unpack
from keyturn.db.unit import Tx
from keyturn.kit.secret import Plaintext
from keyturn.ports.sealing import Sealer


def replace_value(
    tx: Tx, sealer: Sealer, connection_id: str, value: Plaintext, now: datetime, *, holding: str | None = None
) -> bool:
    """Give the connection the new value that it signs in with. The hash of what the user supplied stays as it is.

    With ``holding`` only if it still holds the credential with this fingerprint. Returns whether it was done.
    """
    connection = store.get(tx, connection_id, lock=True)
    if connection is None or (holding is not None and fingerprints.marked(connection) != holding):
        return False
    salt = unpack(sealer.open(connection.secret, connection.seal_context), connection).salt
    version = connection.secret_version + 1
    credentials = renewed(connection, value)
    sealed = sealer.seal(pack(credentials, salt, connection.cloud), seal_context(connection.id, version))
    mark = fingerprints.of(tx, sealer, now, connection.cloud, credentials)
    facts = {
        "ends_at": end_of(credentials),
        "facts": facts_of(credentials),
        "fingerprint": mark,
        "fingerprint_version": version,
    }
    fresh = facts | health.healed(now) | {"published_at": now}  # it has just signed in, several times
    changed_row = store.change(tx, connection, secret=sealed, secret_version=version, updated_at=now, **fresh)
    if changed_row:
        health.record_recovery(tx, connection, now)
    return changed_row
