"""What is sealed in a connection: opened only for where it was sealed for. Every reader of a connection's credential reads here.

A value is sealed once. Where a rotation has it in its journal, the connection holds which row that is, and no copy of its own.
"""

from typing import Any

from keyturn.connections import rotation_store, store
from keyturn.connections.domain import (
    Connection,
    OAuthGrant,
    Rotatable,
    SealedContent,
    StoredCredentials,
    renewed,
    salt_context,
    seal_context,
    target_of,
    unpack,
    value_of,
)
from keyturn.credentials import store as journal
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, Misconfigured, NeedsAction, Retryable
from keyturn.kit.secret import Plaintext
from keyturn.ports.sealing import Sealer

# --- reading ----------------------------------------------------------------------------------------------------------


def opened(database: Database, sealer: Sealer, connection: Connection) -> Rotatable | None:
    """Return what the connection signs in with; None for OAuth. Outside transactions. Raises as :func:`opened_in`."""
    with database.read() as tx:
        return opened_in(tx, sealer, connection)


def opened_in(tx: Tx, sealer: Sealer, connection: Connection) -> Rotatable | None:
    """Return what the connection signs in with; None for OAuth.

    Raises NeedsAction when the row names another target than was sealed, Misconfigured for what does not open, and Retryable
    when the connection got another credential since it was read.
    """
    content = content_of(sealer, connection)
    value = content.value
    if content.credential_id is not None:
        value = _journaled(tx, sealer, content.credential_id)
        if value is None:
            raise Retryable(
                f"The credential of '{connection.name}' was replaced at this moment.",
                code="connections.credential_replaced",
                fix="Try again.",
            )
    return renewed(connection, value) if value is not None else None


def content_of(sealer: Sealer, connection: Connection) -> SealedContent:
    """Return what is sealed in the row itself. Raises NeedsAction when the row names another target than was sealed."""
    return unpack(sealer.open(connection.secret, connection.seal_context), connection)


def salt(sealer: Sealer, connection: Connection) -> Plaintext:
    """Return the salt of the hash, whatever the row says: nothing is sent anywhere with it."""
    if connection.salt is not None:
        return sealer.open(connection.salt, salt_context(connection.id))
    return _salt_inside(_read(sealer, connection))


def is_as_sealed(sealer: Sealer, connection: Connection) -> bool:
    """Say whether the row still names what was sealed."""
    try:
        content_of(sealer, connection)
    except NeedsAction:
        return False
    return True


def _journaled(tx: Tx, sealer: Sealer, credential_id: str) -> Plaintext | None:
    row = journal.get(tx, credential_id)
    return sealer.open(row.value, row.seal_context) if row and row.value else None


def _salt_inside(content: SealedContent) -> Plaintext:
    if content.salt is None:
        raise Misconfigured(
            "The salt of a connection's hash is nowhere to be found.",
            code="connections.no_salt",
            fix="Restore the row of the connection from a backup, or delete the connection and make it anew.",
        )
    return content.salt


# --- writing ----------------------------------------------------------------------------------------------------------


def columns_of(
    tx: Tx,
    sealer: Sealer,
    connection_id: str,
    version: int,
    cloud: str,
    credentials: StoredCredentials,
    mark: str | None,
) -> dict[str, Any]:
    """Return the columns that hold new credentials: a value of the connection's own, unless a rotation has it."""
    target = target_of(cloud, credentials.tenant_id, credentials.client_id)
    credential_id = row_that_has(tx, sealer, mark)
    value = None if isinstance(credentials, OAuthGrant) or credential_id else value_of(credentials)
    return pointing(sealer, connection_id, version, SealedContent(target, value, credential_id))


def pointing(sealer: Sealer, connection_id: str, version: int, content: SealedContent) -> dict[str, Any]:
    """Return the columns that hold this."""
    sealed = sealer.seal(content.packed(), seal_context(connection_id, version))
    return {"secret": sealed, "credential_id": content.credential_id}


def row_that_has(tx: Tx, sealer: Sealer, mark: str | None) -> str | None:
    """Return the row of the journal that keeps the credential with this fingerprint for a rotation, if its value opens."""
    row_id = rotation_store.current_row(tx, mark) if mark else None
    try:
        return row_id if row_id and _journaled(tx, sealer, row_id) else None
    except KeyturnError:
        return None  # who still has the value keeps it


def refer(tx: Tx, sealer: Sealer, connection: Connection, credential_id: str) -> None:
    """Leave the value that the connection holds to this row of the journal, which has the same."""
    _keep_as(tx, sealer, connection, _read(sealer, connection), None, credential_id)


def take_copies(tx: Tx, sealer: Sealer, credential_id: str, *, beside: str | None = None) -> None:
    """Give a copy of its value to every connection that points to this row, which is about to lose it.

    But to the connection ``beside``, which is deleted in this transaction or has other credentials.
    """
    for connection in store.pointing_to(tx, credential_id):
        if connection.id != beside:
            value = _journaled(tx, sealer, credential_id)
            _keep_as(tx, sealer, connection, _read(sealer, connection), value, None)


def renew(tx: Tx, sealer: Sealer, connection: Connection, mark: str | None) -> None:
    """Bring a row of before to the form of today: bound to its target, its salt by itself, no copy of what a rotation has.

    ``mark`` is the fingerprint of what it holds, if that is known. Raises Misconfigured for what does not open.
    """
    content = _read(sealer, connection)
    credential_id = row_that_has(tx, sealer, mark)
    _keep_as(tx, sealer, connection, content, None if credential_id else content.value, credential_id)


def _read(sealer: Sealer, connection: Connection) -> SealedContent:
    return SealedContent.unpacked(sealer.open(connection.secret, connection.seal_context), connection)


def _keep_as(
    tx: Tx,
    sealer: Sealer,
    connection: Connection,
    before: SealedContent,
    value: Plaintext | None,
    credential_id: str | None,
) -> None:
    """Keep the same credential elsewhere, for the same target as before: no version changes by that."""
    target = before.target or connection.target
    changes = pointing(sealer, connection.id, connection.secret_version, SealedContent(target, value, credential_id))
    store.seal_again(tx, connection, **changes, **salt_moved(sealer, connection, before))


def salt_moved(sealer: Sealer, connection: Connection, before: SealedContent) -> dict[str, Any]:
    """Return the column for the salt of a row of before, from which it is about to go; nothing for a row of today."""
    if connection.salt is not None:
        return {}
    return {"salt": sealer.seal(_salt_inside(before), salt_context(connection.id))}
