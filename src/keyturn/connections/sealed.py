"""What is sealed in a connection: opened only for where it was sealed for."""

from keyturn.connections import store
from keyturn.connections.domain import Connection, UnsealedCredentials, bind, salt_of, unpack
from keyturn.db.unit import Database
from keyturn.errors import NeedsAction
from keyturn.ports.sealing import Sealer


def opened(database: Database, sealer: Sealer, connection: Connection) -> UnsealedCredentials:
    """Return what is sealed in the connection: credentials (but for OAuth) and the salt of the hash.

    What an earlier version sealed is sealed again together with where it may be sent, outside of transactions. Raises
    NeedsAction when the row names another target than was sealed.
    """
    packed = sealer.open(connection.secret, connection.seal_context)
    unsealed = unpack(packed, connection)
    if not unsealed.bound and not database.in_transaction:
        again = sealer.seal(bind(packed, connection), connection.seal_context)
        with database.write() as tx:
            store.seal_again(tx, connection, again)
    return unsealed


def salt(sealer: Sealer, connection: Connection) -> str:
    """Return the salt of the hash, whatever the row says: nothing is sent anywhere with it."""
    return salt_of(sealer.open(connection.secret, connection.seal_context))


def is_as_sealed(database: Database, sealer: Sealer, connection: Connection) -> bool:
    """Say whether the row still names what was sealed."""
    try:
        opened(database, sealer, connection)
    except NeedsAction:
        return False
    return True
