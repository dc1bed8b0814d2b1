"""Which applications may be rotated through a connection.

A connection may often write every application of a tenant. Without this list whoever may set up rotations could have a secret
made for any of them, and read it.
"""

from collections.abc import Sequence
from datetime import datetime

from keyturn.audit import events
from keyturn.authz.domain import Action
from keyturn.connections import allowed_store as store
from keyturn.connections.access import connection_for
from keyturn.connections.domain import Connection
from keyturn.connections.recording import record_connection_event
from keyturn.connections.service import Connections
from keyturn.db.unit import Database, Tx
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.ports.provider import ApplicationListing

MOST = 10_000
"""On the list of one connection."""


@dataclass(frozen=True)
class AllowedApplications:
    """``all_owned``: beside those listed, every application that the connection's principal owns."""

    object_ids: Sequence[str]
    all_owned: bool


@dataclass(frozen=True)
class FoundApplication:
    """An application that a connection can see. ``allowed``: it is on the connection's list."""

    listing: ApplicationListing
    allowed: bool


@dataclass(frozen=True)
class FoundApplications:
    applications: Sequence[FoundApplication]
    cursor: str | None
    all_owned: bool


def is_allowed(tx: Tx, connection_id: str, object_id: str, *, owned: bool) -> bool:
    """Whether the application may be rotated through the connection, whose principal owns it or not."""
    if store.among(tx, connection_id, [object_id.lower()]):
        return True
    return owned and store.all_owned(tx, connection_id)


def allow(tx: Tx, actor: Actor, connection: Connection, object_id: str, name: str, now: datetime) -> None:
    """Put an application on the list, in the caller's transaction and after its check of permission. Repeatable."""
    if not store.add(tx, connection.id, object_id.lower()):
        return
    if store.count(tx, connection.id) > MOST:
        raise Refused(
            f"The connection's list has {MOST} applications already.",
            code="connections.too_many_applications",
            fix="Allow all applications that the connection's principal owns instead.",
        )
    event = events.CONNECTION_APPLICATION_ALLOWED
    record_connection_event(tx, actor, event, connection, now, applicationObjectId=object_id.lower(), application=name)


def not_allowed(name: str, connection: Connection) -> Forbidden:
    """Return what to say to somebody who may not put the application on the connection's list themselves."""
    return Forbidden(
        f"{name} is not on the list of applications that may be rotated through the connection {connection.name}.",
        code="connections.application_not_allowed",
        fix="Ask somebody who may edit the connection to put it there.",
    )


class RotatableApplications:
    """Shows and changes which applications may be rotated through connections."""

    def __init__(self, database: Database, connections: Connections, clock: Clock) -> None:
        self._database = database
        self._connections = connections
        self._clock = clock

    def allowed(self, actor: Actor, connection_id: str) -> AllowedApplications:
        """Return what the list says, without asking the provider. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            connection_for(tx, actor, connection_id, Action.READ_CONNECTIONS)
            return AllowedApplications(store.of(tx, connection_id), store.all_owned(tx, connection_id))

    def find(self, actor: Actor, connection_id: str, text: str, cursor: str | None) -> FoundApplications:
        """Return a page of the applications that the connection can see: see :meth:`Connections.find_applications`."""
        page = self._connections.find_applications(actor, connection_id, text, cursor)
        with self._database.read() as tx:
            listed = store.among(tx, connection_id, [each.object_id for each in page.applications])
            all_owned = store.all_owned(tx, connection_id)
        applications = [FoundApplication(each, each.object_id in listed) for each in page.applications]
        return FoundApplications(applications, page.cursor, all_owned)

    def allow(self, actor: Actor, connection_id: str, object_id: str) -> AllowedApplications:
        """Put an application on the list. Repeatable. Raises NotFound where the connection does not see it."""
        with self._database.read() as tx:
            connection_for(tx, actor, connection_id, Action.EDIT_CONNECTIONS)
        found = self._connections.find_applications(actor, connection_id, object_id, None).applications
        application = next((each for each in found if each.object_id == object_id.lower()), None)
        if application is None:
            raise NotFound(
                f"The connection sees no application with the object id {object_id}.",
                code="connections.application_not_found",
                fix="Send the Object ID of the app registration, not that of the enterprise application.",
            )
        with self._database.write() as tx:
            connection = connection_for(tx, actor, connection_id, Action.EDIT_CONNECTIONS, lock=True)
            allow(tx, actor, connection, application.object_id, application.name, self._clock.now())
        return self.allowed(actor, connection_id)

    def disallow(self, actor: Actor, connection_id: str, object_id: str) -> AllowedApplications:
        """Take an application off the list: rotations of it through this connection fail from now on. Repeatable."""
        with self._database.write() as tx:
            connection = connection_for(tx, actor, connection_id, Action.EDIT_CONNECTIONS, lock=True)
            if store.remove(tx, connection.id, object_id.lower()):
                event, facts = events.CONNECTION_APPLICATION_DISALLOWED, {"applicationObjectId": object_id.lower()}
                record_connection_event(tx, actor, event, connection, self._clock.now(), **facts)
        return self.allowed(actor, connection_id)

    def allow_all_owned(self, actor: Actor, connection_id: str, *, on: bool) -> AllowedApplications:
        """Say whether every application that the connection's principal owns may be rotated through it. Repeatable."""
        with self._database.write() as tx:
            connection = connection_for(tx, actor, connection_id, Action.EDIT_CONNECTIONS, lock=True)
            if store.all_owned(tx, connection.id) != on:
                store.set_all_owned(tx, connection.id, on=on)
                event = events.CONNECTION_OWNED_APPLICATIONS_CHANGED
                record_connection_event(tx, actor, event, connection, self._clock.now(), allOwned=on)
        return self.allowed(actor, connection_id)
