"""What is sealed in a connection: opened only for where it was sealed for. Every reader of a connection's credential reads here.

A value is sealed once. Where a rotation has it in its journal, the connection holds which row that is, and no copy of its own.
"""

from typing import Any

from keyturn.connections import store
from keyturn.connections.domain import (
    Connection,
    SealedContent,
    salt_context,
    seal_context,
    target_of,
    unpack,
)
from keyturn.credentials import rotation_store
from keyturn.credentials import store as journal
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, Misconfigured, NeedsAction, Retryable
from keyturn.kit.secret import Plaintext
from keyturn.ports.sealing import Sealer
from keyturn.ports.sign_in import Credentials, SignInMethod

# --- reading ----------------------------------------------------------------------------------------------------------


def open_credentials(
    database: Database, sealer: Sealer, method: SignInMethod, connection: Connection
) -> Credentials | None:
    """Return what the connection signs in with; None for a grant. Outside transactions. Raises as :func:`opened_in`."""
    with database.read() as tx:
        return opened_in(tx, sealer, method, connection)


def opened_in(tx: Tx, sealer: Sealer, method: SignInMethod, connection: Connection) -> Credentials | None:
    """Return what the connection signs in with; None for a grant, which is kept elsewhere.

    Raises NeedsAction when the row names another target than was sealed, Misconfigured for what does not open, and Retryable
    when the connection got another credential since it was read.
    """
    content = content_of(sealer, connection)
    value = _own_value(method, connection, content)
    if content.credential_id is not None:
        value = _journaled(tx, sealer, content.credential_id)
        if value is None:
            raise Retryable(
                f"The credential of '{connection.name}' was replaced at this moment.",
                code="connections.credential_replaced",
                fix="Try again.",
            )
    return None if value is None else method.of_value(connection.tenant_id, connection.client_id, value)


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


def _own_value(method: SignInMethod, connection: Connection, content: SealedContent) -> Plaintext | None:
    """Return the value that the row itself holds, whichever version wrote it; None where it holds none."""
    if content.value is None and content.parts:
        return method.value_of_parts(content.parts, connection.facts or {}, connection.ends_at)
    return content.value


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


def credential_columns(
    tx: Tx,
    sealer: Sealer,
    connection_id: str,
    version: int,
    cloud: str,
    method: SignInMethod,
    credentials: Credentials,
    mark: str | None,
) -> dict[str, Any]:
    """Return the columns that hold new credentials: a value of the connection's own, unless a rotation has it."""
    target = target_of(cloud, credentials.tenant_id, credentials.client_id)
    value = None if method.browser else method.value(credentials)
    return content_columns(sealer, connection_id, version, _kept_once(tx, sealer, target, value, mark))


def content_columns(sealer: Sealer, connection_id: str, version: int, content: SealedContent) -> dict[str, Any]:
    """Return the columns that hold this."""
    sealed = sealer.seal(content.packed(), seal_context(connection_id, version))
    return {"secret": sealed, "credential_id": content.credential_id}


def _kept_once(tx: Tx, sealer: Sealer, target: list[str], value: Plaintext | None, mark: str | None) -> SealedContent:
    """Return what to seal for a value with this fingerprint: which row has it where a rotation keeps the very same."""
    credential_id = rotation_store.current_with_fingerprint(tx, mark) if mark and value else None
    try:
        same = credential_id is not None and _journaled(tx, sealer, credential_id) == value
    except KeyturnError:
        same = False  # who still has the value keeps it
    return SealedContent(target, None, credential_id) if same else SealedContent(target, value)


def refer(
    tx: Tx, sealer: Sealer, method: SignInMethod, connection: Connection, credential_id: str, value: Plaintext
) -> None:
    """Leave the connection's value to this row of the journal, which has this one; nothing happens where they differ.

    They may for one certificate that was pasted in two ways: its next successor brings them together.
    """
    before = _read(sealer, connection)
    own = _own_value(method, connection, before)
    if own is None or own == value:
        _keep_as(tx, sealer, connection, before, SealedContent(_target(connection, before), None, credential_id))


def take_copies(tx: Tx, sealer: Sealer, credential_id: str, *, beside: str | None = None) -> None:
    """Give a copy of its value to every connection that points to this row, which is about to lose it.

    But to the connection ``beside``, which is deleted in this transaction or has other credentials.
    """
    for connection in store.of_credential(tx, credential_id):
        value = _journaled(tx, sealer, credential_id) if connection.id != beside else None
        if value is not None:
            before = _read(sealer, connection)
            _keep_as(tx, sealer, connection, before, SealedContent(_target(connection, before), value))


def renew(tx: Tx, sealer: Sealer, method: SignInMethod, connection: Connection, mark: str | None) -> None:
    """Bring a row of before to the form of today: bound to its target, its salt by itself, no copy of what a rotation has.

    ``mark`` is the fingerprint of what it holds, if that is known. Raises Misconfigured for what does not open.
    """
    before = _read(sealer, connection)
    value = _own_value(method, connection, before)
    content = _kept_once(tx, sealer, _target(connection, before), value, mark)
    _keep_as(tx, sealer, connection, before, content)


def _target(connection: Connection, before: SealedContent) -> list[str]:
    """Return where the credential may be sent: as it was sealed, not as the row may say by now."""
    return before.target or connection.target


def _read(sealer: Sealer, connection: Connection) -> SealedContent:
    return SealedContent.unpacked(sealer.open(connection.secret, connection.seal_context))


def _keep_as(tx: Tx, sealer: Sealer, connection: Connection, before: SealedContent, content: SealedContent) -> None:
    """Keep the same credential in another way: no version changes by that."""
    columns = content_columns(sealer, connection.id, connection.secret_version, content)
    store.seal_again(tx, connection, **columns, **salt_column(sealer, connection, before))


def salt_column(sealer: Sealer, connection: Connection, before: SealedContent) -> dict[str, Any]:
    """Return the column for the salt of a row of before, from which it is about to go; nothing for a row of today."""
    if connection.salt is not None:
        return {}
    return {"salt": sealer.seal(_salt_inside(before), salt_context(connection.id))}
