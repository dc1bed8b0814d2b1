"""How a rotation of an application in an inventory can begin: through which connection, or by the one that signs in as it.

The connection that reads a tenant often may change nothing there. So it is asked of all connections to the tenant that the actor
may use, one after the other, until one may: before anybody fills in a form in vain.
"""

from collections.abc import Sequence

from keyturn.authz import authorize
from keyturn.authz.domain import Action
from keyturn.connections import tenant_store
from keyturn.connections.domain import Connection
from keyturn.db.unit import Database
from keyturn.errors import KeyturnError, NotFound, Refused, Retryable
from keyturn.inventory import list_store
from keyturn.inventory.access import inventory_for
from keyturn.inventory.domain import ShownConnection
from keyturn.inventory.list_store import ListedApplication
from keyturn.inventory.plan import Inventory
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations.secret_rotations.application_check import ApplicationCheck, CheckedApplication
from keyturn.rotations.secret_rotations.writes import require_listable, require_same_connection
from keyturn.rotations.store import policies

MOST_TRIED = 8
"""Each costs a sign-in and a few requests."""


@dataclass(frozen=True)
class RefusedConnection:
    """A connection through which the application cannot be rotated, and why."""

    connection: ShownConnection
    error: KeyturnError


@dataclass(frozen=True)
class RotationStart:
    """``connection`` is one through which the application can be rotated; None: none of those that were tried.

    ``sign_in``: a connection signs in as the application, which its own rotation rotates, and nothing else. ``refused`` are those
    that were tried in vain, and ``untried`` counts the others that the actor may use.
    """

    inventory: Inventory
    application: ListedApplication
    connection: ShownConnection | None = None
    sign_in: ShownConnection | None = None
    refused: Sequence[RefusedConnection] = ()
    untried: int = 0


class RotationStarts:
    """Finds through what an application can be rotated. Changes nothing."""

    def __init__(self, database: Database, applications: ApplicationCheck) -> None:
        self._database = database
        self._applications = applications

    def of(self, actor: Actor, inventory_id: str, object_id: str) -> RotationStart:
        """Ask the provider through one connection after the other, outside transactions.

        Raises NotFound or Forbidden; all else is part of the answer.
        """
        with self._database.read() as tx:
            inventory, _ = inventory_for(tx, actor, inventory_id, Action.CONNECT_CONNECTIONS)
            application = list_store.application(tx, inventory, object_id.lower())
            if application is None:
                raise _no_application(object_id)
            sight = authorize.visible(tx, actor)
            sign_in = list_store.sign_ins(tx, inventory, sight, [application.app_id]).get(application.app_id)
            if sign_in and sign_in.connection:
                return RotationStart(inventory, application, sign_in=sign_in.connection)
            usable = authorize.visible(tx, actor, Action.CONNECT_CONNECTIONS)
            projects = authorize.projects_with(tx, actor, Action.CREATE_ROTATIONS, partly=True)
            connections, total = tenant_store.to_tenant(
                tx, usable, inventory.tenant, application.object_id, projects, MOST_TRIED
            )
            rotation = policies.of_application(tx, application.object_id)
        if rotation:  # an application has but one, and by the same connection others may join it
            connections = [each for each in connections if each.id == rotation.connection_id] or connections
        refused: list[RefusedConnection] = []
        for connection in connections:
            named = ShownConnection(connection.id, connection.name, connection.project_id)
            try:
                checked = self._applications.check(connection, application.object_id, application.app_id)
                self._require_permitted(actor, connection, checked)
            except Refused as error:
                # It is the application that is as it must not be: no other connection changes that.
                return RotationStart(inventory, application, refused=[RefusedConnection(named, error)])
            except KeyturnError as error:
                refused.append(RefusedConnection(named, error))
                if isinstance(error, Retryable):
                    break  # the others would wait as long, and be told the same
            else:
                return RotationStart(inventory, application, named)
        return RotationStart(inventory, application, refused=refused, untried=total - len(refused))

    def _require_permitted(self, actor: Actor, connection: Connection, checked: CheckedApplication) -> None:
        """Raise Forbidden or Refused where the actor may not have the application rotated through the connection."""
        with self._database.read() as tx:
            require_listable(tx, actor, connection, checked)
            rotation = policies.of_application(tx, checked.application.object_id)
            if rotation:
                require_same_connection(tx, actor, rotation, connection, checked.application)


def _no_application(object_id: str) -> NotFound:
    return NotFound(
        f"There is no application with the object id {object_id} in this inventory.",
        code="inventory.application_not_found",
        fix="Send the object id of an application that the inventory lists; service principals and blueprints are not rotated.",
    )
