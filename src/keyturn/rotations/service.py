"""Use cases of connections that rotate their own client secret: enable, schedule, rotate now, change, delete, look.

All checks and all network calls come first; then one transaction writes everything. The rotation itself is done by the
workflow, never inside a user's request.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from keyturn.access.domain import Action
from keyturn.connections.domain import (
    ClientSecret,
    Connection,
    Draft,
    Given,
    Proved,
    Rotatable,
    Supplied,
    method_of,
    value_of,
)
from keyturn.connections.service import Connections
from keyturn.credentials import store as journal
from keyturn.credentials.domain import KEPT, Credential, State
from keyturn.db.unit import Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.ports import RemoteApplication, RemoteCredential, Tenant
from keyturn.rotations import store
from keyturn.rotations.candidates import choose, kind_of, named, rotatable
from keyturn.rotations.domain import ASKED_FOR, Kind, Reason, Rotation, Run, RunState, Snapshot, next_run
from keyturn.rotations.outcome import described, end_run, set_aside, tell
from keyturn.rotations.schedule import Schedule


@dataclass(frozen=True)
class Adoption:
    """A secret or a certificate that was checked and may be taken over."""

    given: Rotatable
    application: RemoteApplication
    key: RemoteCredential


@dataclass(frozen=True)
class ScheduleChange:
    """What a request says about the schedule; None means unchanged."""

    interval_days: int | None = None
    hour: int | None = None
    minute: int | None = None
    time_zone: str | None = None
    key_id: str | None = None

    def on(self, known: Schedule | None) -> Schedule:
        """Return the schedule after this change. Raises Refused when the first schedule is incomplete."""
        if known is None and (self.interval_days is None or self.hour is None):
            raise Refused(
                "To enable automatic rotation, say how often and at what time.",
                code="rotation.schedule_missing",
                fix="Send rotation.rotationInterval and rotation.rotateAtUtc (or rotation.rotateAt with a time zone).",
            )
        base = known or Schedule(30, 0, 0, "UTC")
        return Schedule(
            self.interval_days or base.interval_days,
            base.hour if self.hour is None else self.hour,
            base.minute if self.minute is None else self.minute,
            self.time_zone or base.time_zone,
        )


@dataclass(frozen=True)
class Change:
    """What a request changes of a connection; None means unchanged, ``describe`` tells whether description was sent."""

    name: str | None = None
    description: str | None = None
    describe: bool = False
    credentials: Supplied | None = None
    enabled: bool | None = None
    schedule: ScheduleChange | None = None


LEASE_TRIES = 40
LEASE_PAUSE_SECONDS = 0.25


class Rotations:
    """The rotation of connections.

    ``nudge`` tells the finder of due work to look at once; ``pause`` waits between attempts to get at an application that
    the workflow is busy with; ``process_id`` is whose lease it is meanwhile, so that it ends if this process dies.
    """

    def __init__(
        self,
        connections: Connections,
        nudge: Callable[[], None] = lambda: None,
        pause: Callable[[float], object] = lambda _seconds: None,
        process_id: str = "api",
    ) -> None:
        self.connections = connections
        self._process_id = process_id
        self._pause = pause
        self.database = connections.database
        self.clock = connections.clock
        self.ids = connections.ids
        self.provider = connections.provider
        self._nudge = nudge

    # --- reading ----------------------------------------------------------------------------------------------------

    def of(self, connections: Sequence[Connection]) -> Mapping[str, Rotation]:
        """Return the rotations of connections that the caller was allowed to read."""
        with self.database.read() as tx:
            return store.of_connections(tx, [one.id for one in connections])

    def overviews(self, connections: Sequence[Connection]) -> Mapping[str, store.Overview]:
        """Return by connection id what lists show of the rotations of connections that the caller was allowed to read."""
        with self.database.read() as tx:
            return store.overviews(tx, [one.id for one in connections])

    def credentials(self, actor: Actor, connection_id: str) -> list[Credential]:
        """Return the journal of the connection's secrets, newest first. Never values."""
        with self.database.read() as tx:
            rotation = self._rotation_for(tx, actor, connection_id, Action.READ_CONNECTIONS)
            return journal.of_rotation(tx, rotation.id)

    def runs(
        self, actor: Actor, connection_id: str, limit: int, before: datetime | None
    ) -> list[tuple[Run, list[store.StepRecord]]]:
        """Return the runs with their steps, newest first."""
        with self.database.read() as tx:
            rotation = self._rotation_for(tx, actor, connection_id, Action.READ_CONNECTIONS)
            found = store.runs_of(tx, rotation.id, limit, before)
            steps = store.steps_of(tx, [run.id for run in found])
        return [(run, steps[run.id]) for run in found]

    def _rotation_for(
        self, tx: Tx, actor: Actor, connection_id: str, action: Action, *, lock: bool = False
    ) -> Rotation:
        self.connections.connection_for(tx, actor, connection_id, action)
        rotation = store.of_connection(tx, connection_id, lock=lock)
        if rotation is None:
            raise NotFound(
                "Automatic credential rotation is not set up for this connection.",
                code="rotation.not_set_up",
                fix="Enable it with isAutoRotationEnabled and rotation.",
            )
        return rotation

    # --- creating and changing --------------------------------------------------------------------------------------

    def create(self, actor: Actor, draft: Draft, schedule: ScheduleChange | None) -> Connection:
        """Make a connection; with a schedule, take its secret over and start rotating it.

        All checks are made first; then connection, rotation, journal and the first run are written together.
        """
        if schedule is None:
            return self.connections.create(actor, draft)
        wanted = schedule.on(None)
        self.connections.check_new(actor, draft)
        given = rotatable(self.connections.read(draft.credentials), method_of(draft.credentials))
        adoption = self.check_adoption(given)
        with self._owning(*_touched(None, adoption)) as tx:
            connection = self.connections.insert(tx, actor, draft, Proved(given, given))
            self._enroll(tx, actor, connection, adoption, wanted)
        self._nudge()
        return connection

    def check_adoption(self, given: Rotatable) -> Adoption:
        """Check everything that taking over a credential needs: it signs in, may write its application, and is identified."""
        token = self.connections.sign_in(given)
        tenant = Tenant(self.connections.cloud, given.tenant_id)
        kind = self.provider.kind(kind_of(given))
        application = kind.application(tenant, token, app_id=given.client_id)
        kind.check_may_write(tenant, token, application)
        key = choose(kind, application.credentials, given, self.clock.now())
        return Adoption(given, application, key)

    def update(self, actor: Actor, connection_id: str, change: Change) -> Connection:
        """Change a connection, its credentials and its schedule: all of it or nothing."""
        with self.database.read() as tx:
            connection = self.connections.connection_for(tx, actor, connection_id, Action.EDIT_CONNECTIONS)
            rotation = store.of_connection(tx, connection_id)
        given = self._new_credentials(connection, change)
        wanted = self._wanted(rotation, change)
        adoption = self._checks(connection, rotation, given, change)
        proved = self._proved(given, adoption)
        with self._owning(*_touched(rotation if given else None, adoption)) as tx:
            # Locks are taken in the order of publish: the rotation, then the connection.
            before, rotation = rotation, store.of_connection(tx, connection_id, lock=True)
            connection = self.connections.connection_for(tx, actor, connection_id, Action.EDIT_CONNECTIONS, lock=True)
            if (before and before.id) != (rotation and rotation.id):
                raise changed_meanwhile()
            connection = self._write_connection(tx, actor, connection, change, proved)
            if rotation and adoption:
                enabled = rotation.enabled if change.enabled is None else change.enabled
                rotation = self._take_over(tx, actor, connection, replace(rotation, enabled=enabled), adoption)
            if rotation:
                self._reschedule(tx, actor, rotation, wanted or rotation.schedule, change.enabled)
            elif adoption and wanted:
                self._enroll(tx, actor, connection, adoption, wanted)
        self._nudge()
        return connection

    def _write_connection(
        self, tx: Tx, actor: Actor, connection: Connection, change: Change, proved: Proved | None
    ) -> Connection:
        name = change.name if change.name is not None else connection.name
        description = change.description if change.describe else connection.description
        connection = self.connections.rename(tx, actor, connection, name=name, description=description)
        return self.connections.replace_credentials(tx, actor, connection, proved) if proved else connection

    @contextmanager
    def _owning(self, *object_ids: str) -> Iterator[Tx]:
        """A write transaction during which nobody else works on these applications.

        Whoever held one of their leases before has lost it, and until the transaction ends nobody can take it. Raises
        Refused when one of them stays busy for long.
        """
        for _ in range(LEASE_TRIES):
            with self.database.write() as tx:
                if self._all_free(tx, object_ids):
                    yield tx
                    return
            self._pause(LEASE_PAUSE_SECONDS)
        raise Refused(
            "This application's secrets are being worked on right now.",
            code="rotation.busy",
            fix="Try again in a minute.",
        )

    def _all_free(self, tx: Tx, object_ids: Sequence[str]) -> bool:
        now = self.clock.now()
        for object_id in sorted(set(object_ids)):  # always in this order, so that two edits cannot wait for each other
            token = store.take_lease(tx, object_id, self._process_id, now, timedelta(0))
            if token is None:
                return False
            store.drop_lease(tx, object_id, token, now)
        return True

    def _new_credentials(self, connection: Connection, change: Change) -> Given | None:
        """Return credentials that differ from what the user supplied before; declarative clients send the old ones again."""
        if change.credentials is None:
            return None
        if method_of(change.credentials) is not connection.method:
            raise Refused(
                f"These are credentials of the method '{method_of(change.credentials)}', but the connection's method is "
                f"'{connection.method}'.",
                code="connections.method_fixed",
                fix="A connection's method cannot be changed: make another connection.",
            )
        again = self.connections.read(change.credentials, dated=False)
        return None if self.connections.is_as_supplied(connection, again) else self.connections.read(change.credentials)

    def _wanted(self, rotation: Rotation | None, change: Change) -> Schedule | None:
        if rotation:
            return change.schedule.on(rotation.schedule) if change.schedule else rotation.schedule
        if change.enabled:
            return (change.schedule or ScheduleChange()).on(None)
        if change.schedule and change.enabled is None:
            raise Refused(
                "Automatic credential rotation is not enabled for this connection, so it has no schedule to change.",
                code="rotation.not_enabled",
                fix="Send isAutoRotationEnabled: true together with rotation.",
            )
        return None

    def _checks(
        self, connection: Connection, rotation: Rotation | None, given: Given | None, change: Change
    ) -> Adoption | None:
        """Ask the provider about a secret to take over. Returns it, if there is one."""
        if rotation is None and change.enabled:
            credentials = given or self.connections.opened(connection).credentials
            key_id = change.credentials.key_id if isinstance(change.credentials, ClientSecret) else None
            key_id = key_id or (change.schedule.key_id if change.schedule else None)
            return self.check_adoption(named(rotatable(credentials, connection.method), key_id))
        return self.check_adoption(rotatable(given, connection.method)) if given and rotation else None

    def _proved(self, given: Given | None, adoption: Adoption | None) -> Proved | None:
        """Have new credentials accepted, which those of an adoption were already."""
        if given is None:
            return None
        return Proved(given, adoption.given) if adoption else self.connections.prove(given)

    def _enroll(
        self,
        tx: Tx,
        actor: Actor,
        connection: Connection,
        adoption: Adoption,
        schedule: Schedule,
        *,
        enabled: bool = True,
    ) -> Rotation:
        """Set up the rotation: the given secret becomes the current one of generation 0, and a run starts at once."""
        self._require_unknown(tx, adoption)
        now, application = self.clock.now(), adoption.application
        rotation = Rotation(
            id=self.ids.new(),
            kind=Kind.CONNECTION,
            org_id=connection.org_id,
            project_id=connection.project_id,
            connection_id=connection.id,
            name=connection.name,
            tenant=connection.tenant,
            app_id=application.app_id,
            object_id=application.object_id,
            application_name=application.name,
            schedule=schedule,
            credential_kind=kind_of(adoption.given),
            enabled=enabled,
            next_run_at=now,
            wake_at=now,
            created_at=now,
            updated_at=now,
        )
        store.insert(tx, rotation)
        self._adopt(tx, rotation, adoption)
        settings = schedule_facts(schedule)
        tell(tx, actor, "rotation-enabled", rotation, now, adoptedKeyId=adoption.key.key_id, **settings)
        if enabled:
            self._start(tx, actor, rotation, Reason.ENABLED)
        return rotation

    def _adopt(self, tx: Tx, rotation: Rotation, adoption: Adoption) -> None:
        key, now, new = adoption.key, self.clock.now(), self.ids.new()
        row = Credential(
            id=new,
            rotation_id=rotation.id,
            org_id=rotation.org_id,
            object_id=rotation.object_id,
            generation=rotation.generation,
            state=State.CURRENT,
            adopted=True,
            marker=key.name or "",
            key_id=key.key_id,
            hint=key.hint,
            starts_at=key.starts_at,
            ends_at=key.ends_at,
            planned_at=now,
            published_at=now,
        )
        sealed = self.connections.sealer.seal(value_of(adoption.given), row.place)
        journal.insert(tx, replace(row, value=sealed))

    def _take_over(
        self, tx: Tx, actor: Actor, connection: Connection, rotation: Rotation, adoption: Adoption
    ) -> Rotation:
        """The user typed new credentials into a rotating connection: adopt them, retire what was before."""
        self._cancel(tx, actor, rotation, "the credentials were changed")
        if adoption.application.object_id != rotation.object_id:
            self._retire(tx, actor, rotation, keep=lambda _row: False)
            return self._enroll(tx, actor, connection, adoption, rotation.schedule, enabled=rotation.enabled)
        self._require_unknown(tx, adoption)
        now = self.clock.now()
        for row in journal.live(tx, rotation.id):
            if row.state is State.CURRENT:
                journal.move(tx, row, State.RETIRING, retired_at=now, revoke_after=now)
            elif row.retry_at:
                # What could not be removed for want of a working secret is tried again with the new one.
                journal.move(tx, row, retry_at=None, tries=0)
        self._adopt(tx, rotation, adoption)
        renewed = replace(rotation, next_run_at=now, paused_until=None, failures=0, anchor=None, updated_at=now)
        store.save(tx, replace(renewed, wake_at=now))
        tell(tx, actor, "rotation-credentials-replaced", rotation, now, adoptedKeyId=adoption.key.key_id)
        if renewed.enabled:
            self._start(tx, actor, renewed, Reason.ENABLED)
        return renewed

    def _require_unknown(self, tx: Tx, adoption: Adoption) -> None:
        known = journal.of_application(tx, adoption.application.object_id, [adoption.key.key_id], [])
        if any(row.state in {State.RETIRING, State.REVOKING, State.CURRENT} for row in known):
            raise Refused(
                "This credential is already in this server's hands, and about to be revoked or in use.",
                code="rotation.key_in_use",
                fix="Make a new client secret for this and give its Value and Secret ID, or a new certificate.",
            )

    def _reschedule(self, tx: Tx, actor: Actor, rotation: Rotation, schedule: Schedule, enabled: bool | None) -> None:
        """Change schedule and switch. Never needs the secret; a moment that is already past means: now."""
        enabled = rotation.enabled if enabled is None else enabled
        if (schedule, enabled) == (rotation.schedule, rotation.enabled):
            return
        now = self.clock.now()
        current = Snapshot(rotation, journal.live(tx, rotation.id)).current
        at = rotation.next_run_at
        if rotation.anchor:
            at = next_run(schedule, rotation.anchor, current).at
        # What a person asked for and failed is not forgotten for a change of schedule.
        failed = store.runs_of(tx, rotation.id, 1) if rotation.paused_until else []
        again = now if any(run.reason in ASKED_FOR for run in failed) else None
        changed = replace(
            rotation, schedule=schedule, enabled=enabled, next_run_at=at, paused_until=again, updated_at=now
        )
        store.save(tx, replace(changed, wake_at=now))
        event = "rotation-schedule-changed"
        if enabled != rotation.enabled:
            event = "rotation-resumed" if enabled else "rotation-paused"
        tell(tx, actor, event, rotation, now, before=schedule_facts(rotation.schedule), after=schedule_facts(schedule))

    # --- rotating now -----------------------------------------------------------------------------------------------

    def rotate_now(self, actor: Actor, connection_id: str, *, leaked: bool = False) -> tuple[Connection, Run]:
        """Ask for a rotation at once; while one is under way, join it. Returns before it is done."""
        reason = Reason.LEAKED if leaked else Reason.MANUAL
        with self.database.write() as tx:
            connection = self.connections.connection_for(tx, actor, connection_id, Action.ROTATE_CREDENTIALS)
            rotation = self._rotation_for(tx, actor, connection_id, Action.ROTATE_CREDENTIALS, lock=True)
            run = self._start(tx, actor, rotation, reason)
        self._nudge()
        return connection, run

    def _start(self, tx: Tx, actor: Actor, rotation: Rotation, reason: Reason) -> Run:
        now = self.clock.now()
        active = store.active_run(tx, rotation.id)
        if active:
            if reason is Reason.LEAKED:
                # Joined, but whatever it replaces must not be relied on any longer.
                store.change_run(tx, active.id, reason=reason.value)
                active = replace(active, reason=reason)
            store.wake(tx, rotation.id, now)
            return active
        run = Run(
            id=self.ids.new(),
            rotation_id=rotation.id,
            reason=reason,
            state=RunState.ACTIVE,
            requested_by={"kind": actor.kind.value, "id": actor.id, "name": actor.name},
            generation=rotation.generation + 1,
            created_at=now,
        )
        store.insert_run(tx, run)
        store.save(tx, replace(rotation, last_attempt_at=now, wake_at=now, updated_at=now))
        tell(tx, actor, "rotation-run-requested", rotation, now, runId=run.id, reason=reason.value)
        return run

    # --- deleting ---------------------------------------------------------------------------------------------------

    def delete(
        self, actor: Actor, connection_id: str, *, revoke: bool | None = None
    ) -> tuple[Connection, list[Credential]]:
        """Delete a connection. Returns it and the secrets that stay valid at the provider.

        ``revoke`` True removes every secret of its rotation from Entra, False keeps them all; by default those that this
        server asked for are removed, since nobody else has them, and one that a user supplied is kept. The removal is
        done by the workflow, after this returns.
        """
        with self.database.read() as tx:
            self.connections.connection_for(tx, actor, connection_id, Action.DELETE_CONNECTIONS)
            before = store.of_connection(tx, connection_id)
        with self._owning(*_touched(before, None)) as tx:
            rotation = store.of_connection(tx, connection_id, lock=True)
            connection = self.connections.connection_for(tx, actor, connection_id, Action.DELETE_CONNECTIONS, lock=True)
            if (before and before.id) != (rotation and rotation.id):
                raise changed_meanwhile()
            kept: list[Credential] = []
            if rotation:
                self._cancel(tx, actor, rotation, "the connection was deleted")
                kept = self._retire(tx, actor, rotation, keep=lambda row: row.adopted if revoke is None else not revoke)
            self.connections.delete(tx, actor, connection, staysValid=[described(row) for row in kept])
        self._nudge()
        return connection, kept

    def _cancel(self, tx: Tx, actor: Actor, rotation: Rotation, why: str) -> None:
        run = store.active_run(tx, rotation.id)
        if run is None:
            return
        snapshot = Snapshot(rotation, journal.live(tx, rotation.id), run)
        set_aside(tx, snapshot, self.clock.now(), note=why)
        end_run(tx, actor, rotation, run, RunState.CANCELLED, self.clock.now(), why=why)

    def _retire(self, tx: Tx, actor: Actor, rotation: Rotation, keep: Callable[[Credential], bool]) -> list[Credential]:
        """End a rotation. Its keys are removed by the workflow, except those to keep, whose values are forgotten here."""
        now, kept = self.clock.now(), []
        removing = any(row.state not in _PUBLISHED or not keep(row) for row in journal.live(tx, rotation.id))
        for row in journal.live(tx, rotation.id):
            if row.state is State.CURRENT and not keep(row):
                journal.move(tx, row, State.RETIRING, retired_at=now, revoke_after=now)
            elif row.state is State.RETIRING and not keep(row):
                journal.move(tx, row, revoke_after=now)
            elif row.state in _PUBLISHED:
                # A value that is kept is needed as long as it signs in for the removal of the others.
                value = row.value if removing and row.state is State.CURRENT else None
                kept.append(journal.move(tx, row, revoke_after=None, value=value, note=KEPT))
        ended = replace(rotation, retired=True, enabled=False, next_run_at=None, wake_at=now, updated_at=now)
        store.save(tx, ended)
        tell(tx, actor, "rotation-ended", rotation, now, staysValid=[described(row) for row in kept])
        return kept


_PUBLISHED = frozenset({State.CURRENT, State.RETIRING})
"""Only these can be kept; whatever else there is of a rotation that ends is removed."""


def _touched(rotation: Rotation | None, adoption: Adoption | None) -> set[str]:
    """Return the applications whose secrets an edit concerns."""
    found = {rotation.object_id} if rotation else set()
    return found | {adoption.application.object_id} if adoption else found


def refuse_while_rotating(tx: Tx, project_id: str) -> None:
    """Guard of a project's deletion: what rotates in it must be ended first, so that no secret is orphaned."""
    names = store.rotating_in(tx, project_id)
    if names:
        raise Refused(
            f"Connections of this project rotate their credentials: {', '.join(names[:5])}.",
            code="projects.rotating",
            fix="Delete these connections first, choosing whether their secrets are revoked or kept.",
        )


def changed_meanwhile() -> Refused:
    return Refused(
        "The connection was changed by somebody else meanwhile.",
        code="connections.changed_meanwhile",
        fix="Load the connection again and repeat the change.",
    )


def schedule_facts(schedule: Schedule) -> dict[str, Any]:
    return {
        "rotationInterval": schedule.interval_days,
        "rotateAt": f"{schedule.hour:02}:{schedule.minute:02}",
        "timeZone": schedule.time_zone,
    }
