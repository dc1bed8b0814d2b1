"""What is written of secret rotations, within one transaction of the caller. Nothing here asks the provider.

Rows are locked in the order that ``keyturn.secrets.writes`` names.
"""

from dataclasses import replace
from typing import Any

from keyturn.audit import secret_rotation_events as events
from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.connections import allowed, claims
from keyturn.connections.access import connection_for
from keyturn.connections.domain import Connection
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.organizations.quotas import require_room
from keyturn.ownership import store as owners
from keyturn.ownership.domain import Owned
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.provider import RemoteApplication
from keyturn.ports.sealing import Sealer
from keyturn.projects.store import lock_project
from keyturn.rotations import overlap
from keyturn.rotations.commands import NewSecretRotation, schedule_facts
from keyturn.rotations.domain import Reason, Rotation, RotationKind, Snapshot
from keyturn.rotations.policy_check import require_allowed
from keyturn.rotations.policy_writes import PolicyWriter
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.application_check import CheckedApplication
from keyturn.rotations.secret_rotations.domain import SecretRotation, SecretRotationView
from keyturn.rotations.secret_rotations.events import record_secret_rotation_event
from keyturn.rotations.store import policies
from keyturn.rotations.store import secret_rotations as store
from keyturn.secrets.domain import Place
from keyturn.secrets.folders import Folders
from keyturn.secrets.mapped import SecretNames
from keyturn.secrets.writes import MappingWriter


@dataclass(frozen=True)
class SecretRotationWriter:
    """Writes secret rotations, the rotation of the application that they share, and their audit events."""

    clock: Clock
    ids: Ids
    sealer: Sealer
    policies: PolicyWriter
    folders: Folders
    most: int = 0
    """Of one project; 0: any number."""

    def mappings(self, actor: Actor) -> MappingWriter:
        return MappingWriter(self.sealer, self.ids, actor, self.clock.now())

    # --- beginning ----------------------------------------------------------------------------------------------------

    def begin(
        self,
        tx: Tx,
        actor: Actor,
        new: NewSecretRotation,
        connection: Connection,
        checked: CheckedApplication,
        place: Place,
    ) -> SecretRotation:
        """Add it, to the rotation of the application where there is one; else that begins with its first run.

        The application's lease is held. What is current already is published. Raises Refused for what was taken meanwhile.
        """
        rotation = policies.of_application(tx, checked.application.object_id, lock=True)
        if rotation:
            require_same_connection(tx, actor, rotation, connection, checked.application)
        connection = connection_for(tx, actor, connection.id, Action.CONNECT_CONNECTIONS, lock=True)
        self._allow(tx, actor, connection, checked)
        claims.take(tx, connection.cloud, checked.application.app_id, claims.Use.TARGET)
        lock_project(tx, place.project_id)
        folder = self.folders.ensure(tx, actor, place)
        if store.rotation_of_name(tx, folder.id, new.name):
            raise name_taken(new.name)
        there = store.count(tx, place.project_id)
        require_room(there, self.most, "secret rotations of this project", "KEYTURN_MAX_SECRET_ROTATIONS")
        first = rotation is None
        if first:
            require_allowed(checked.policy, new.schedule)
        rotation = rotation or self._enroll(tx, new, connection, checked.application)
        now = self.clock.now()
        each = SecretRotation(
            id=self.ids.new(),
            rotation_id=rotation.id,
            org_id=actor.org_id,
            project_id=place.project_id,
            environment_id=place.environment_id,
            folder_id=folder.id,
            connection_id=connection.id,
            name=new.name,
            description=new.description or None,
            schedule=new.schedule,
            enabled=new.enabled,
            overlap=new.overlap,
            created_at=now,
            updated_at=now,
        )
        store.insert(tx, each)
        owners.begin(tx, actor, Owned.SECRET_ROTATION, each.id, now, new.owner)
        self.mappings(actor).reserve(tx, each.id, place, folder.id, new.names)
        view = store.required_view(tx, each.id)
        settings = schedule_facts(new.schedule)
        record_secret_rotation_event(tx, actor, events.SECRET_ROTATION_CREATED, view, now, **settings)
        if first:
            self.policies.start(tx, actor, rotation, Reason.ENABLED)
        else:
            self.adjust(tx, actor, rotation)
            current = Snapshot(rotation, journal.live(tx, rotation.id)).current
            if current:
                self.mappings(actor).publish(tx, each.id, place, rotation.app_id, current)
        return each

    def _allow(self, tx: Tx, actor: Actor, connection: Connection, checked: CheckedApplication) -> None:
        """Put the application on the connection's list, where the actor may. Raises Forbidden where they may not."""
        require_listable(tx, actor, connection, checked)
        application = checked.application
        if not checked.listed:
            allowed.allow(tx, actor, connection, application.object_id, application.name, self.clock.now())

    def _enroll(
        self, tx: Tx, new: NewSecretRotation, connection: Connection, application: RemoteApplication
    ) -> Rotation:
        return self.policies.insert(
            tx,
            connection,
            application,
            new.schedule,
            kind=RotationKind.APPLICATION,
            project_id=new.project_id,
            name=new.name,
            enabled=new.enabled,
            overlap=new.overlap,
        )

    # --- changing -----------------------------------------------------------------------------------------------------

    def adjust(self, tx: Tx, actor: Actor, rotation: Rotation) -> None:
        """Let the rotation have the strictest schedule, and the longest overlap, of all that share it."""
        sharing = store.of_rotation(tx, rotation.id)
        enabled = [each for each in sharing if each.enabled]
        promise, oldest = overlap.longest(each.overlap for each in sharing), sharing[0]
        as_shared = replace(rotation, overlap=promise, name=oldest.name, project_id=oldest.project_id)
        if as_shared != rotation:
            rotation = as_shared
            policies.save(tx, rotation)
        self.policies.reschedule(tx, actor, rotation, strictest(enabled or sharing), bool(enabled))

    def reconnect(
        self, tx: Tx, actor: Actor, rotation: Rotation, connection: Connection, checked: CheckedApplication
    ) -> None:
        """Let another connection sign in for the application, of which ``rotation`` is locked."""
        connection = connection_for(tx, actor, connection.id, Action.CONNECT_CONNECTIONS, lock=True)
        self._allow(tx, actor, connection, checked)
        policies.save(tx, replace(rotation, connection_id=connection.id))
        for each in store.of_rotation(tx, rotation.id):
            store.save(tx, replace(each, connection_id=connection.id))

    def change(self, tx: Tx, actor: Actor, view: SecretRotationView, after: SecretRotation, names: SecretNames) -> None:
        """Write what was changed of it; the application's lease is held. What is as before is not written."""
        before, now = view.secret_rotation, self.clock.now()
        if (after, names) == (before, view.names):
            return
        lock_project(tx, before.project_id)
        if after.name != before.name and store.rotation_of_name(tx, before.folder_id, after.name):
            raise name_taken(after.name)
        store.save(tx, replace(after, updated_at=now))
        if names != view.names:
            self.mappings(actor).rename(tx, before.id, view.place, names)
        rotation = policies.get(tx, before.rotation_id)
        if rotation:
            self.adjust(tx, actor, rotation)
        facts: dict[str, Any] = {"before": _facts(before, view.names), "after": _facts(after, names)}
        changed = store.required_view(tx, before.id)
        record_secret_rotation_event(tx, actor, events.SECRET_ROTATION_UPDATED, changed, now, **facts)

    # --- ending -------------------------------------------------------------------------------------------------------

    def end(
        self, tx: Tx, actor: Actor, view: SecretRotationView, rotation: Rotation, *, delete_secrets: bool, revoke: bool
    ) -> list[Credential]:
        """Delete it, and the application's rotation with the last one that shares it. Returns which secrets stay valid.

        The application's lease is held and ``rotation`` is locked in this transaction.
        """
        each = view.secret_rotation
        lock_project(tx, each.project_id)
        self.mappings(actor).release(tx, each.id, view.place, delete=delete_secrets)
        store.delete(tx, each.id)
        stay: list[Credential] = []
        if store.of_rotation(tx, rotation.id):
            self.adjust(tx, actor, rotation)
        else:
            self.policies.cancel(tx, actor, rotation, "the secret rotation was deleted")
            stay = self.policies.retire(tx, actor, rotation, keep=lambda row: row.used_elsewhere or not revoke)
            claims.leave_target(tx, rotation.tenant.cloud, rotation.app_id)
        return stay


def require_listable(tx: Tx, actor: Actor, connection: Connection, checked: CheckedApplication) -> None:
    """Raise Forbidden for an application that is not on the connection's list, where the actor may not put it there."""
    scope = Scope(connection.org_id, connection.project_id, connection_id=connection.id)
    if not checked.listed and not authorize.is_allowed(tx, actor, Action.EDIT_CONNECTIONS, scope):
        raise allowed.not_allowed(f"'{checked.application.name}'", connection)


def require_same_connection(
    tx: Tx, actor: Actor, rotation: Rotation, connection: Connection, application: RemoteApplication
) -> None:
    """Raise Refused when the application is rotated already through another connection, naming by what to who may see it."""
    if (rotation.connection_id, rotation.org_id) == (connection.id, actor.org_id):
        return
    names = [
        f"'{view.secret_rotation.name}'"
        for view in store.views_of_rotation(tx, rotation.id)
        if secret_access.is_allowed_on(tx, actor, Action.READ_ROTATIONS, view)
    ]
    by = f"the secret rotation {names[0]}" if names else "a secret rotation that you may not see"
    raise Refused(
        f"The secret of the application '{application.name}' is rotated already, by {by}, through another connection.",
        code="rotation.application_rotated",
        fix="Use the same connection: then what is current is published here, too. Or delete that one first.",
    )


def _facts(each: SecretRotation, names: SecretNames) -> dict[str, Any]:
    """Return what the trail tells of what may be changed."""
    return schedule_facts(each.schedule) | {
        "name": each.name,
        "description": each.description,
        "connectionId": each.connection_id,
        "isAutoRotationEnabled": each.enabled,
        "overlap": each.overlap,
        "secretKeys": [names.client_id, names.client_secret],
    }


def name_taken(name: str) -> Refused:
    return Refused(
        f"There is a secret rotation '{name}' in that folder already.",
        code="secret_rotations.name_taken",
        fix="Choose another name, or change that one.",
        field="name",
    )


def strictest(sharing: list[SecretRotation]) -> Schedule:
    """Return the schedule with the shortest interval, of several that of the oldest, on the weekdays that all of them permit.

    Where they have no day in common its own days count.
    """
    schedule = min(sharing, key=lambda each: (each.schedule.interval_days, each.created_at, each.id)).schedule
    common = frozenset.intersection(*(each.schedule.weekdays for each in sharing))
    return replace(schedule, weekdays=common or schedule.weekdays)
