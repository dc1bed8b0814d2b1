"""What is written, within one transaction of the caller, when people enable, change, replace or end a rotation.

Nothing here asks the provider: whatever must be checked there was checked before the transaction began.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from keyturn.audit import events
from keyturn.authz import authorize
from keyturn.connections import health, holders, sealed
from keyturn.connections.domain import Connection
from keyturn.connections.store import Holder
from keyturn.credentials import store as journal
from keyturn.credentials.domain import KEPT, Credential, State
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.provider import RemoteApplication
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers
from keyturn.rotations.commands import Adoption, ConnectionChange, schedule_facts
from keyturn.rotations.domain import Reason, Rotation, RotationKind, Run, RunState, Snapshot
from keyturn.rotations.freezes.domain import Freeze, freeze_at
from keyturn.rotations.run_schedule import planned_run
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.store import freezes, policies, runs
from keyturn.rotations.work.along import Along
from keyturn.rotations.work.run_outcome import credential_facts, end_run, record_rotation_event, set_aside
from keyturn.rotations.work.run_record import record_run

_PUBLISHED = frozenset({State.CURRENT, State.RETIRING})
"""Only these can be kept; whatever else there is of a rotation that ends is removed."""


@dataclass(frozen=True)
class PolicyWriter:
    """Writes policies, the journal's adopted rows, runs that were asked for, and their audit events."""

    clock: Clock
    ids: Ids
    sealer: Sealer
    providers: Providers

    def enroll(
        self,
        tx: Tx,
        actor: Actor,
        connection: Connection,
        adoption: Adoption,
        schedule: Schedule,
        *,
        enabled: bool = True,
        move_along: bool = True,
    ) -> Rotation:
        """Set up the rotation: the given secret becomes the current one of generation 0, and a run starts at once.

        Other connections that hold it are moved along by each run: Refused unless the actor may change them all, and unless
        ``move_along`` says that this is wanted.
        """
        self.require_enrollable(tx, actor, connection, adoption, move_along=move_along)
        rotation = self.insert(
            tx,
            connection,
            adoption.application,
            schedule,
            kind=RotationKind.CONNECTION,
            project_id=connection.project_id,
            name=connection.name,
            credential_kind=adoption.given.method,
            enabled=enabled,
        )
        self.adopt(tx, rotation, adoption)
        settings = schedule_facts(schedule)
        facts = {"adoptedKeyId": adoption.key.key_id} | settings
        record_rotation_event(tx, actor, events.ROTATION_ENABLED, rotation, self.clock.now(), **facts)
        if enabled:
            self.start(tx, actor, rotation, Reason.ENABLED)
        return rotation

    def insert(
        self, tx: Tx, connection: Connection, application: RemoteApplication, schedule: Schedule, **fields: Any
    ) -> Rotation:
        """Write a rotation of the application, through the connection, which is looked at at once. ``fields`` are all others."""
        now = self.clock.now()
        rotation = Rotation(
            id=self.ids.new(),
            org_id=connection.org_id,
            connection_id=connection.id,
            tenant=connection.tenant,
            app_id=application.app_id,
            object_id=application.object_id,
            application_name=application.name,
            schedule=schedule,
            next_run_at=now,
            wake_at=now,
            wake_set_at=now,
            sweep_at=now + health.LOOK_EVERY,
            created_at=now,
            updated_at=now,
            **fields,
        )
        policies.insert(tx, rotation)
        return rotation

    def require_enrollable(
        self, tx: Tx, actor: Actor, connection: Connection, adoption: Adoption, *, move_along: bool = True
    ) -> None:
        """Raise Refused as :meth:`enroll` does. Changes nothing."""
        self._check_holders(tx, actor, connection, move_along=move_along)
        self.require_unknown(tx, adoption)

    def adopt(self, tx: Tx, rotation: Rotation, adoption: Adoption) -> None:
        """Write the secret that a user handed over as the current one, sealed; who holds it points to it from now on."""
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
            published_at=adoption.accepted_at,
        )
        value = self.providers.method_of(adoption.given).value(adoption.given)
        mark = Along(self.sealer, self.providers, rotation, now).mark(tx, value)
        journal.insert(tx, replace(row, value=self.sealer.seal(value, row.seal_context), fingerprint=mark))
        for holder in sorted(holders.of(tx, mark), key=lambda holder: holder.id):  # rows are locked in this order
            connection = holders.lock_holder(tx, holder)
            if connection:
                method = self.providers.method_of(connection)
                sealed.refer(tx, self.sealer, method, connection, row.id, value)

    def _check_holders(self, tx: Tx, actor: Actor, connection: Connection, *, move_along: bool) -> None:
        """Raise Refused where the connection's credential rotates already, or may not be rotated for those who share it."""
        others = holders.of(tx, connection.fingerprint, beside=connection.id)
        what = holders.credential_name(self.providers.method_of(connection))
        owner_id = holders.rotated_by(tx, others)
        if owner_id:
            owner = next(holder for holder in others if holder.id == owner_id)
            raise rotates_already(what, owner if authorize.visible(tx, actor).covers(holders.scope_of(owner)) else None)
        holders.require_movable(tx, actor, others, what)
        if others and not move_along:
            raise Refused(
                f"{what} is also used by {holders.named(others)}: {'it' if len(others) == 1 else 'they'} will be moved along "
                "to each new one, so that nothing stops signing in.",
                code="rotation.shared",
                field="moveOthersAlong",
                fix="Say that they may be moved along, or give this connection a credential of its own.",
                details=[
                    {"connectionId": holder.id, "name": holder.name, "projectId": holder.project_id}
                    for holder in others
                ],
            )

    def change(
        self,
        tx: Tx,
        actor: Actor,
        connection: Connection,
        rotation: Rotation | None,
        adoption: Adoption | None,
        schedule: Schedule | None,
        change: ConnectionChange,
    ) -> None:
        """Write what a change of the connection means for its rotation: other credentials, another schedule, a first one."""
        if rotation and adoption:
            enabled = rotation.enabled if change.enabled is None else change.enabled
            rotation = self.take_over(
                tx, actor, connection, rotation, adoption, enabled=enabled, move_along=change.move_along
            )
        if rotation:
            self.reschedule(tx, actor, rotation, schedule or rotation.schedule, change.enabled)
        elif adoption and schedule:
            self.enroll(tx, actor, connection, adoption, schedule, move_along=change.move_along)

    def take_over(
        self,
        tx: Tx,
        actor: Actor,
        connection: Connection,
        rotation: Rotation,
        adoption: Adoption,
        *,
        enabled: bool,
        move_along: bool = True,
    ) -> Rotation:
        """The user typed new credentials into a rotating connection: adopt them, retire what was before.

        Where other connections hold what was before, the rotation goes on for them, and this connection gets one of its own.
        """
        if self.hand_over(tx, actor, rotation):
            return self.enroll(
                tx, actor, connection, adoption, rotation.schedule, enabled=enabled, move_along=move_along
            )
        rotation = replace(rotation, enabled=enabled)
        self.cancel(tx, actor, rotation, "the credentials were changed")
        if adoption.application.object_id != rotation.object_id:
            self.retire(tx, actor, rotation, keep=lambda _row: False)
            return self.enroll(
                tx, actor, connection, adoption, rotation.schedule, enabled=rotation.enabled, move_along=move_along
            )
        self.require_enrollable(tx, actor, connection, adoption, move_along=move_along)
        now = self.clock.now()
        for row in journal.live(tx, rotation.id):
            if row.state is State.CURRENT:
                journal.move(tx, row, State.RETIRING, retired_at=now, revoke_after=now)
            elif row.retry_at:
                # What could not be removed for want of a working secret is tried again with the new one.
                journal.move(tx, row, retry_at=None, tries=0)
        self.adopt(tx, rotation, adoption)
        renewed = replace(rotation, next_run_at=now, paused_until=None, failures=0, anchor=None, updated_at=now)
        policies.save(tx, replace(renewed, wake_at=now, wake_set_at=now))
        record_rotation_event(
            tx, actor, events.ROTATION_CREDENTIALS_REPLACED, rotation, now, adoptedKeyId=adoption.key.key_id
        )
        if renewed.enabled:
            self.start(tx, actor, renewed, Reason.ENABLED)
        return renewed

    def hand_over(self, tx: Tx, actor: Actor, rotation: Rotation) -> Holder | None:
        """Let the rotation go on for the oldest other connection that holds its current secret; None if there is none.

        Its journal, its schedule and the run under way stay as they are.
        """
        now, current = self.clock.now(), Snapshot(rotation, journal.live(tx, rotation.id)).current
        if current is None:
            return None
        along = Along(self.sealer, self.providers, rotation, now)
        holders.lock(tx, along.mark_of(tx, current))
        others = along.holders(tx, current)
        heir = next(
            (holder for holder in others if holder.org_id == rotation.org_id and holders.stays(tx, holder)), None
        )
        if heir is None:
            return None
        handed_over = replace(
            rotation, connection_id=heir.id, project_id=heir.project_id, name=heir.name, updated_at=now
        )
        policies.save(tx, replace(handed_over, wake_at=now if rotation.wake_at else None))
        record_rotation_event(tx, actor, events.ROTATION_HANDED_OVER, handed_over, now, holders=len(others))
        return heir

    def require_unknown(self, tx: Tx, adoption: Adoption) -> None:
        """Refuse a secret that is already in this server's journal and not yet gone."""
        journal_rows = journal.of_application(tx, adoption.application.object_id, [adoption.key.key_id], [])
        if any(row.state in {State.RETIRING, State.REVOKING, State.CURRENT} for row in journal_rows):
            raise Refused(
                "This credential is already in this server's hands, and about to be revoked or in use.",
                code="rotation.key_in_use",
                fix="Make a new client secret for this and give its Value and Secret ID, or a new certificate.",
            )

    def reschedule(self, tx: Tx, actor: Actor, rotation: Rotation, schedule: Schedule, enabled: bool | None) -> None:
        """Change schedule and switch. Never needs the secret; a moment that is already past means: now."""
        enabled = rotation.enabled if enabled is None else enabled
        if (schedule, enabled) == (rotation.schedule, rotation.enabled):
            return
        now = self.clock.now()
        current = Snapshot(rotation, journal.live(tx, rotation.id)).current
        at, moved_days = rotation.next_run_at, rotation.moved_days
        if rotation.anchor:
            due = planned_run(schedule, rotation.anchor, current, freezes.of_rotation(tx, rotation), now)
            at, moved_days = due.at, due.moved_days
        # What a person asked for and failed is not forgotten for a change of schedule.
        failed = runs.runs_of(tx, rotation.id, 1) if rotation.paused_until else []
        again = now if any(run.asked_for for run in failed) else None
        changed = replace(
            rotation,
            schedule=schedule,
            enabled=enabled,
            next_run_at=at,
            moved_days=moved_days,
            paused_until=again,
            updated_at=now,
        )
        policies.save(tx, replace(changed, wake_at=now, wake_set_at=now))
        event = events.ROTATION_SCHEDULE_CHANGED
        if enabled != rotation.enabled:
            event = events.ROTATION_RESUMED if enabled else events.ROTATION_PAUSED
        before, after = schedule_facts(rotation.schedule), schedule_facts(schedule)
        record_rotation_event(tx, actor, event, rotation, now, before=before, after=after)

    def start(self, tx: Tx, actor: Actor, rotation: Rotation, reason: Reason, freeze_reason: str | None = None) -> Run:
        """Ask for a run. While one is under way it is joined: it counts as asked for, and a leak makes it more urgent.

        What failed before and was put off is tried at once, and so are removals that it may wait for. Raises Refused for a
        manual one within a freeze, unless ``freeze_reason`` says why it cannot wait.
        """
        now, asker = self.clock.now(), {"kind": actor.kind.value, "id": actor.id, "name": actor.name}
        frozen = freeze_at(freezes.of_rotation(tx, rotation), now) if reason is Reason.MANUAL else None
        if frozen and not freeze_reason:
            raise in_freeze(frozen)
        spite = {"freeze": frozen.name, "freezeReason": freeze_reason} if frozen else {}
        active = runs.active_run(tx, rotation.id)
        if active:
            # Whatever a run replaces because of a leak must not be relied on any longer.
            urgent = reason if reason is Reason.LEAKED else active.reason
            by = active.requested_by or asker
            runs.change_run(tx, active.id, reason=urgent.value, requested_by=by, requested_at=now)
            policies.wake(tx, rotation.id, now)
            joined = {"runId": active.id, "reason": reason.value}
            record_rotation_event(tx, actor, events.RUN_JOINED, rotation, now, **joined, **spite)
            return replace(active, reason=urgent, requested_by=by, requested_at=now)
        run = Run(
            id=self.ids.new(),
            rotation_id=rotation.id,
            reason=reason,
            state=RunState.ACTIVE,
            requested_by=asker,
            requested_at=now,
            generation=rotation.generation + 1,
            created_at=now,
        )
        runs.insert_run(tx, run)
        policies.save(tx, replace(rotation, last_attempt_at=now, wake_at=now, wake_set_at=now, updated_at=now))
        requested = {"runId": run.id, "reason": reason.value}
        record_rotation_event(tx, actor, events.RUN_REQUESTED, rotation, now, **requested, **spite)
        return run

    def cancel(self, tx: Tx, actor: Actor, rotation: Rotation, why: str) -> None:
        """End the run under way, if any; what it asked for is removed by the workflow."""
        run = runs.active_run(tx, rotation.id)
        if run is None:
            return
        snapshot = Snapshot(rotation, journal.live(tx, rotation.id), run)
        set_aside(tx, snapshot, self.clock.now(), note=why)
        end_run(tx, actor, rotation, run, RunState.CANCELLED, self.clock.now(), why=why)
        record_run(tx, rotation, run.id, self.clock.now())

    def retire(self, tx: Tx, actor: Actor, rotation: Rotation, keep: Callable[[Credential], bool]) -> list[Credential]:
        """End a rotation. Its keys are removed by the workflow, except those to keep, whose values are forgotten here.

        Its own connection is deleted or has other credentials; any other that still points to a value gets a copy.
        """
        now, rows = self.clock.now(), []
        for row in journal.live(tx, rotation.id):
            sealed.take_copies(tx, self.sealer, row.id, beside=rotation.connection_id)
        removing = any(row.state not in _PUBLISHED or not keep(row) for row in journal.live(tx, rotation.id))
        for row in journal.live(tx, rotation.id):
            if row.state is State.CURRENT and not keep(row):
                journal.move(tx, row, State.RETIRING, retired_at=now, revoke_after=now)
            elif row.state is State.RETIRING and not keep(row):
                journal.move(tx, row, revoke_after=row.retired_at or now)
            elif row.state in _PUBLISHED:
                # A value that is kept is needed as long as it signs in for the removal of the others.
                value = row.value if removing and row.state is State.CURRENT else None
                rows.append(journal.move(tx, row, revoke_after=None, value=value, note=KEPT))
        ended = replace(
            rotation, retired=True, enabled=False, next_run_at=None, wake_at=now, wake_set_at=now, updated_at=now
        )
        policies.save(tx, ended)
        record_rotation_event(
            tx, actor, events.ROTATION_ENDED, rotation, now, staysValid=[credential_facts(row) for row in rows]
        )
        return rows


def in_freeze(freeze: Freeze) -> Refused:
    """Build the refusal of a rotation that somebody asks for in a freeze."""
    return Refused(
        f"Nothing is to be changed now: {freeze.told()}. {freeze.window.reason}".rstrip(),
        code="rotation.frozen",
        fix=f"Wait until {freeze.ends:%Y-%m-%d %H:%M} UTC, or say why it cannot wait (freezeReason). A secret that leaked is "
        "replaced at any time, with the reason leaked.",
        field="freezeReason",
    )


def rotates_already(what: str, owner: Holder | None) -> Refused:
    """Build the refusal of a second rotation of one credential; ``owner`` is who has the first, if the actor may see it."""
    name = f"the connection '{owner.name}'" if owner else "a connection that you may not see"
    who = f"Change the schedule at {name}" if owner else "Ask an administrator of the organization about the schedule"
    return Refused(
        f"{what} is rotated already, by {name}: every connection that holds it is moved along at each rotation.",
        code="rotation.key_in_use",
        fix=f"{who}, or give this connection a new client secret or certificate of its own.",
    )
