"""The one way to a connection together with its rotation: by the connection's id, for an actor, with a permission."""

from keyturn.authz.domain import Action
from keyturn.connections.access import connection_for
from keyturn.connections.domain import Connection
from keyturn.db.unit import Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.rotations.domain import Rotation
from keyturn.rotations.store import policies


def find(tx: Tx, actor: Actor, connection_id: str, action: Action) -> tuple[Connection, Rotation | None]:
    """Return the connection on which the actor may do this, and its rotation if it has one. Raises NotFound or Forbidden."""
    connection = connection_for(tx, actor, connection_id, action)
    return connection, policies.of_connection(tx, connection_id)


def require(
    tx: Tx, actor: Actor, connection_id: str, action: Action, *, lock: bool = False
) -> tuple[Connection, Rotation]:
    """As :func:`find`, and raises NotFound without a rotation, which ``lock`` is about."""
    connection = connection_for(tx, actor, connection_id, action)
    rotation = policies.of_connection(tx, connection_id, lock=lock)
    if rotation is None:
        raise NotFound(
            "Automatic credential rotation is not set up for this connection.",
            code="rotation.not_set_up",
            fix="Enable it with isAutoRotationEnabled and rotation.",
        )
    return connection, rotation


def lock(
    tx: Tx, actor: Actor, connection_id: str, action: Action, before: Rotation | None
) -> tuple[Connection, Rotation | None]:
    """As :func:`find`, and keeps both from changes until the transaction ends, in the order of publish: the rotation first.

    Raises Refused when the rotation is another one than ``before``.
    """
    rotation = policies.of_connection(tx, connection_id, lock=True)
    connection = connection_for(tx, actor, connection_id, action, lock=True)
    # It may have been handed over while the connection was waited for.
    rotation = rotation or policies.of_connection(tx, connection_id)
    if (before and before.id) != (rotation and rotation.id):
        raise Refused(
            "The connection was changed by somebody else meanwhile.",
            code="connections.changed_meanwhile",
            fix="Load the connection again and repeat the change.",
        )
    return connection, rotation
