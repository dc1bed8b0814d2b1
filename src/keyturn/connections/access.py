"""The one way to a connection: by id, for an actor, with a permission."""

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.connections import store
from keyturn.connections.domain import Connection
from keyturn.db.unit import Tx
from keyturn.errors import NotFound
from keyturn.kit.actor import Actor


def connection_for(tx: Tx, actor: Actor, connection_id: str, action: Action, *, lock: bool = False) -> Connection:
    """Return the connection on which the actor may do this; ``lock`` keeps it from changes. Raises NotFound or Forbidden."""
    connection = store.get(tx, connection_id, lock=lock)
    if connection is None or connection.org_id != actor.org_id:
        raise NotFound(
            f"There is no app connection '{connection_id}'.",
            code="connections.not_found",
            fix="GET /api/v1/app-connections lists those that you may see, as the page App Connections does.",
        )
    authorize.require(tx, actor, action, Scope(connection.org_id, connection.project_id, connection_id=connection.id))
    return connection
