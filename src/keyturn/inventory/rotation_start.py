"""How a rotation of an application in an inventory can begin: through which connection, or by the one that signs in as it.

The connection that reads a tenant often may change nothing there. So it is asked of all connections to the tenant that the actor
may use, one after the other, until one may: before anybody fills in a form in vain.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from keyturn.authz import authorize
from keyturn.authz.domain import Action
from keyturn.connections import store as connections
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
from keyturn.ports.clock import Clock
from keyturn.rotations.secret_rotations.application_check import ApplicationCheck, CheckedApplication
from keyturn.rotations.secret_rotations.writes import require_listable, require_same_connection
from keyturn.rotations.store import policies

TRIED_FOR = timedelta(seconds=15)
"""Each costs a sign-in and a few requests, while somebody waits. Who asks again goes on with the others."""


@dataclass(frozen=True)
class RefusedConnection:
    """A connection through which the application cannot be rotated, and why."""

    connection: ShownConnection
    error: KeyturnError


@dataclass(frozen=True)
class RotationStart:
    """``connection`` is one through which the application can be rotated; None: none of those that were tried.

    ``sign_in``: a connection signs in as the application, which its own rotation rotates, and nothing else. ``refused`` are those
    that were tried in vain, and ``untried`` counts the others that the actor may use: with ``following`` they are gone on with.
    """

    inventory: Inventory
    application: ListedApplication
    connection: ShownConnection | None = None
    sign_in: ShownConnection | None = None
    refused: Sequence[RefusedConnection] = ()
    untried: int = 0
    following: int | None = None


class RotationStarts:
    """Finds through what an application can be rotated. Changes nothing."""

    def __init__(self, database: Database, applications: ApplicationCheck, clock: Clock) -> None:
        self._database = database
        self._applications = applications
        self._clock = clock

    def of(self, actor: Actor, inventory_id: str, object_id: str, offset: int = 0) -> RotationStart:
        """Ask the provider through one connection after the other, but for the first ``offset``, until one may or time is over.

        Outside transactions. Raises NotFound or Forbidden; all else is part of the answer.
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
            ids = tenant_store.to_tenant(tx, usable, inventory.tenant, application.object_id, projects)
            rotation = policies.of_application(tx, application.object_id)
        if rotation and rotation.connection_id in ids:
            ids = [rotation.connection_id]  # an application has but one, and by the same connection others may join it
        start, following = RotationStart(inventory, application), offset
        for connection_id in self._in_time(ids[offset:]):
            start, following = self._tried(actor, start, connection_id), following + 1
            last = start.refused[-1].error if start.refused else None
            if start.connection or isinstance(last, Refused):
                return start  # an application that is as it must not be is so for all
            if isinstance(last, Retryable):
                break  # the others would wait as long, and be told the same
        untried = max(len(ids) - following, 0)
        return replace(start, untried=untried, following=following if untried else None)

    def _in_time(self, ids: Sequence[str]) -> Iterator[str]:
        """Yield these, at least one, until the time is over: also by a clock that is set meanwhile."""
        began = self._clock.now()
        for number, each in enumerate(ids):
            if number and not began <= self._clock.now() < began + TRIED_FOR:
                return
            yield each

    def _tried(self, actor: Actor, start: RotationStart, connection_id: str) -> RotationStart:
        """Return the start through this connection; or with why it is not possible, alone where that is so through all."""
        application = start.application
        with self._database.read() as tx:
            connection = connections.get(tx, connection_id)
        if connection is None:
            return start  # it was deleted meanwhile
        named = ShownConnection(connection.id, connection.name, connection.project_id)
        try:
            checked = self._applications.check(connection, application.object_id, application.app_id)
            self._require_permitted(actor, connection, checked)
        except KeyturnError as error:
            refused = RefusedConnection(named, error)
            return replace(start, refused=[refused] if isinstance(error, Refused) else [*start.refused, refused])
        return RotationStart(start.inventory, application, named)

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
