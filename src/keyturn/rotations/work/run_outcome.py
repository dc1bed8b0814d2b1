"""How a run ends. Transactions only; the callers hold the lease or keep others from it."""

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
from keyturn.rotations.domain import Rotation, Run, RunState, Snapshot
from keyturn.rotations.store import policies, runs
from keyturn.rotations.work.attempt import RotationWork
from keyturn.rotations.work.run_record import record_run

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


def failure_facts(error: Upstream) -> dict[str, Any]:
    """What a run remembers of the error that ended it."""
    kind = "retryable" if isinstance(error, Retryable) else "needs-action"
    return {"code": error.code, "message": error.message, "fix": error.fix, "kind": kind, "requestId": error.request_id}


def end_run(tx: Tx, actor: Actor, rotation: Rotation, run: Run, state: RunState, now: datetime, **facts: Any) -> None:
    """Finish the run: its terminal state and its one terminal audit event, together. Its record follows when all is written."""
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


def fail_unreadable(tx: Tx, work: RotationWork, snapshot: Snapshot, error: Upstream) -> None:
    """Say on the rotation that its journal cannot be understood; a run under way ends so, with its secrets left as they are."""
    rotation, now = policies.get(tx, work.rotation_id, lock=True), work.now()
    if rotation is None:
        return
    if snapshot.run:
        end_run(tx, work.actor, rotation, snapshot.run, RunState.FAILED, now, failure=failure_facts(error))
        record_run(tx, rotation, snapshot.run.id, now)
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
