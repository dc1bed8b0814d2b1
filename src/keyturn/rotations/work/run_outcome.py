"""How a run ends, and what a failed step means for it. Transactions only; the callers hold the work."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Tx
from keyturn.errors import Retryable, Upstream
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.rotations import waits
from keyturn.rotations.domain import Rotation, Run, RunState, Snapshot, backoff, guard, retry_delay
from keyturn.rotations.store import policies, runs
from keyturn.rotations.work.attempt import RotationWork

MAX_MESSAGE = 1024
_ENDS = {
    RunState.SUCCEEDED: events.RUN_SUCCEEDED,
    RunState.FAILED: events.RUN_FAILED,
    RunState.CANCELLED: events.RUN_CANCELLED,
}


def record_rotation_event(
    tx: Tx, actor: Actor, event: AuditEvent, rotation: Rotation, now: datetime, *, once: str | None = None, **facts: Any
) -> None:
    """Record an event of the rotation with its connection and application; ``once`` as for :func:`record`."""
    common = {
        "connectionId": rotation.connection_id,
        "applicationObjectId": rotation.object_id,
        "appId": rotation.app_id,
    }
    subject = Subject(SubjectKind.ROTATION, rotation.id, rotation.project_id)
    record(tx, actor, event, subject, now, once, **common | facts)


def credential_facts(row: Credential) -> dict[str, Any]:
    """What may be said of a credential anywhere: never its value."""
    return {
        "keyId": row.key_id,
        "displayName": row.marker,
        "hint": row.hint,
        "generation": row.generation,
        "endsAt": iso(row.ends_at) if row.ends_at else None,
    }


def failure(error: Upstream) -> dict[str, Any]:
    kind = "retryable" if isinstance(error, Retryable) else "needs-action"
    return {"code": error.code, "message": error.message, "fix": error.fix, "kind": kind, "requestId": error.request_id}


def end_run(tx: Tx, actor: Actor, rotation: Rotation, run: Run, state: RunState, now: datetime, **facts: Any) -> None:
    """Finish the run: its terminal state and its one terminal audit event, together."""
    if runs.change_run(tx, run.id, state=state, finished_at=now, failure=facts.get("failure")):
        record_rotation_event(
            tx,
            actor,
            _ENDS[state],
            rotation,
            now,
            once=f"run-end:{run.id}",
            runId=run.id,
            reason=run.reason.value,
            **facts,
        )


def fail_run(tx: Tx, work: RotationWork, snapshot: Snapshot, error: Upstream) -> None:
    """End the run as failed; the current secret is untouched, a new one on its way is removed, a retry is scheduled."""
    run, now = snapshot.run, work.now()
    rotation = policies.get(tx, work.rotation_id, lock=True)
    if run is None or rotation is None:
        return
    set_aside(tx, snapshot, now, note=error.code)
    failures = rotation.failures + 1
    delay = retry_delay(
        failures,
        work.context.ids.jitter(),
        urgent=_end_is_near(snapshot.current, now),
        needs_action=not isinstance(error, Retryable),
    )
    # Under way, the schedule was changed to a later moment: then there is nothing to try again before it.
    slot = waits.slot(rotation, now)
    put_off = not run.asked_for and slot is not None and slot > now
    policies.save(
        tx,
        replace(
            rotation,
            status="failed",
            last_message=error.diagnostics()[:MAX_MESSAGE],
            failures=failures,
            paused_until=None if put_off else now + delay,
            sweep_at=_earliest(rotation.sweep_at, now + work.context.pace.sweep_after),
            updated_at=now,
        ),
    )
    end_run(tx, work.actor, rotation, run, RunState.FAILED, now, failure=failure(error))


def fail_unreadable(tx: Tx, work: RotationWork, snapshot: Snapshot, error: Upstream) -> None:
    """Say on the rotation that its journal cannot be understood; a run under way ends so, with its secrets left as they are."""
    rotation, now = policies.get(tx, work.rotation_id, lock=True), work.now()
    if rotation is None:
        return
    if snapshot.run:
        end_run(tx, work.actor, rotation, snapshot.run, RunState.FAILED, now, failure=failure(error))
    policies.say(tx, rotation.id, "failed", error.diagnostics()[:MAX_MESSAGE], now)


def set_aside(tx: Tx, snapshot: Snapshot, now: datetime, note: str) -> None:
    """Give up the secret on its way: drop the plan, or remove the key. One that was asked for is still to be resolved."""
    row = snapshot.candidate
    if row is None:
        return
    if row.state is State.PLANNED:
        journal.move(tx, row, State.ABANDONED, value=None, ended_at=now, note=note)
    else:
        journal.move(tx, row, State.REVOKING, retired_at=now, retry_at=None, tries=0, note=note)


def retry_run(tx: Tx, work: RotationWork, run: Run, error: Upstream) -> None:
    """Let the run try its next step again later."""
    retry_after = error.retry_after if isinstance(error, Retryable) else None
    delay = backoff(run.tries + 1, work.context.ids.jitter(), retry_after)
    now = work.now()
    runs.change_run(tx, run.id, tries=run.tries + 1, retry_at=now + delay, retry_set_at=now)


def may_retry(work: RotationWork, run: Run, error: Upstream) -> bool:
    return isinstance(error, Retryable) and run.tries + 1 < work.context.pace.run_tries


def retry_credential(tx: Tx, work: RotationWork, row: Credential, error: Upstream) -> None:
    """Let a step on this credential be tried again later, ever more seldom."""
    retry_after = error.retry_after if isinstance(error, Retryable) else None
    delay = backoff(row.tries + 1, work.context.ids.jitter(), retry_after)
    now = work.now()
    journal.move(tx, row, tries=row.tries + 1, retry_at=now + delay, retry_set_at=now)


def _end_is_near(current: Credential | None, now: datetime) -> bool:
    return bool(current and current.begins_at and current.ends_at and now >= guard(current.begins_at, current.ends_at))


def _earliest(first: datetime | None, other: datetime) -> datetime:
    return min(first, other) if first else other
