"""The beginning of a run that is due by itself: why it starts, and what puts it off. One transaction."""

from dataclasses import replace
from datetime import timedelta

from keyturn.audit import events
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations import waits
from keyturn.rotations.blast_radius import held_back
from keyturn.rotations.domain import Reason, Rotation, RotationKind, RotationState, Run, RunState
from keyturn.rotations.freezes.domain import FreezeWindows, PermittedSlot
from keyturn.rotations.run_schedule import BY_ITSELF, put_off, reason_of_run
from keyturn.rotations.store import freezes, policies, runs
from keyturn.rotations.work.attempt import StepAttempt
from keyturn.rotations.work.run_outcome import record_rotation_event


@dataclass(frozen=True)
class _Before:
    """What was seen before the transaction: when nothing is rotated, and what puts the run off."""

    windows: FreezeWindows
    frozen: PermittedSlot | None = None
    held: tuple[timedelta, str] | None = None

    @property
    def why(self) -> str | None:
        return self.frozen.why if self.frozen else self.held[1] if self.held else None


def open_run(attempt: StepAttempt) -> None:
    """The moment has come: begin a run."""
    now, before = attempt.now(), _before(attempt)
    with attempt.write("waiting" if before.why else "done", before.why) as tx:
        rotation = policies.get(tx, attempt.work.rotation_id, lock=True)
        if (
            rotation is None
            or not (due := waits.due(rotation, now, attempt.snapshot.signer_works_since))
            or due > now
            or runs.active_run(tx, rotation.id)
        ):
            return
        reason, slot = reason_of_run(_state(tx, attempt, rotation, before.windows), now)
        if before.frozen and reason in BY_ITSELF:
            until = before.frozen.at
            moved = replace(rotation, next_run_at=until, moved_days=(until - now).days + 1, paused_until=None)
            policies.save(tx, replace(moved, updated_at=now))
            return
        if before.held and reason is Reason.SCHEDULED:
            policies.save(tx, replace(rotation, paused_until=now + before.held[0], updated_at=now))
            return
        run = Run(
            id=attempt.context.ids.new(),
            rotation_id=rotation.id,
            reason=reason,
            state=RunState.ACTIVE,
            created_at=now,
            started_at=now,
            slot_at=slot,
            generation=rotation.generation + 1,
        )
        runs.insert_run(tx, run)
        policies.save(tx, replace(rotation, last_attempt_at=now, updated_at=now))
        record_rotation_event(tx, attempt.actor, events.RUN_STARTED, rotation, now, runId=run.id, reason=reason.value)


def _before(attempt: StepAttempt) -> _Before:
    """Look what puts off a run that nobody asked for: a freeze, or the runs of other applications."""
    rotation, current, now = attempt.snapshot.rotation, attempt.snapshot.current, attempt.now()
    with attempt.context.database.read() as tx:
        windows = freezes.of_rotation(tx, rotation)
        reason, _ = reason_of_run(_state(tx, attempt, rotation, windows), now)
        if reason in BY_ITSELF and (frozen := put_off(rotation.schedule, windows, now, current)):
            return _Before(windows, frozen)
        if rotation.kind is not RotationKind.APPLICATION or reason is not Reason.SCHEDULED:
            return _Before(windows)
        recent = runs.recent_of_applications(tx, rotation.org_id, now)
    return _Before(windows, held=held_back(recent, attempt.context.runs_per_hour, now))


def _state(tx: Tx, attempt: StepAttempt, rotation: Rotation, windows: FreezeWindows) -> RotationState:
    newest = next(iter(runs.runs_of(tx, rotation.id, 1)), None)
    return RotationState(rotation, attempt.snapshot.current, newest, windows)
