"""The one way to an inventory: by id, for an actor, with a permission on the connection that reads it."""

from keyturn.authz.domain import Action
from keyturn.connections.access import connection_for
from keyturn.connections.domain import Connection
from keyturn.db.unit import Tx
from keyturn.errors import NotFound
from keyturn.inventory import store
from keyturn.inventory.plan import Inventory
from keyturn.kit.actor import Actor


def inventory_for(tx: Tx, actor: Actor, inventory_id: str, action: Action) -> tuple[Inventory, Connection]:
    """Return an inventory with what reads it, on which the actor may do this. Raises NotFound or Forbidden."""
    inventory = store.get(tx, inventory_id)
    if inventory is None or inventory.org_id != actor.org_id:
        raise NotFound(
            f"There is no inventory '{inventory_id}'.",
            code="inventory.not_found",
            fix="GET /api/v1/inventories lists the tenants that are read.",
        )
    return inventory, connection_for(tx, actor, inventory.connection_id, action)
