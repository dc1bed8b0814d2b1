"""Writes down what a failed step means. ``failure.after_failure`` has decided it; the callers hold the lease."""

from dataclasses import replace
from datetime import timedelta

from keyturn.audit import events
from keyturn.connections.daily_check import report
from keyturn.credentials import store as journal
from keyturn.credentials.domain import State
from keyturn.db.unit import Tx
from keyturn.errors import Upstream
from keyturn.kit.moments import not_after
from keyturn.rotations.domain import Rotation, RunState
from keyturn.rotations.failure import (
    Abandon,
    Consequence,
    EndRun,
    GiveUp,
    MarkUnknown,
    OfCredential,
    ProveAgain,
    RetryCredential,
    RetryRun,
    ShortenLifetime,
    SignerRefused,
    SignerTroubled,
    SweepLater,
)
from keyturn.rotations.store import policies, runs
from keyturn.rotations.work import removal, sweep
from keyturn.rotations.work.attempt import StepAttempt
from keyturn.rotations.work.run_outcome import MAX_MESSAGE, end_run, failure_facts, record_rotation_event, set_aside


def write_consequence(
    tx: Tx, attempt: StepAttempt, rotation: Rotation, error: Upstream, consequence: Consequence
) -> None:
    """Do what was decided about this attempt. ``rotation`` is locked in this transaction."""
    now = attempt.now()
    match consequence:
        case RetryRun(run, wait):
            runs.change_run(tx, run.id, tries=run.tries + 1, retry_at=now + wait, retry_set_at=now)
        case ShortenLifetime():
            policies.set_short_lifetime(tx, rotation.id)
        case EndRun(pause):
            _end_failed_run(tx, attempt, rotation, error, pause)
        case SweepLater(wait):
            policies.set_sweep(tx, rotation.id, now + wait)
            report(str(rotation.connection_id), error)
        case SignerTroubled():
            sweep.note_troubled(tx, attempt, error)
        case SignerRefused():
            sweep.note_refused(tx, attempt, error)
        case _:
            _write_credential(tx, attempt, consequence)


def _write_credential(tx: Tx, attempt: StepAttempt, consequence: OfCredential) -> None:
    now = attempt.now()
    match consequence:
        case MarkUnknown(row):
            journal.move(tx, row, ask_unknown=True)
        case Abandon(row, note):
            journal.move(tx, row, State.ABANDONED, value=None, ended_at=now, note=note)
        case RetryCredential(row, wait):
            journal.move(tx, row, tries=row.tries + 1, retry_at=now + wait, retry_set_at=now)
        case ProveAgain():
            _prove_again(tx, attempt, consequence)
        case GiveUp(row, note):
            removal.record_gone(tx, attempt, row, note=note)


def _prove_again(tx: Tx, attempt: StepAttempt, again: ProveAgain) -> None:
    row, now = again.credential, attempt.now()
    journal.move(
        tx,
        row,
        proofs=0,
        proof_at=now,
        proof_tries=row.proof_tries + 1,
        retry_at=now + again.wait,
        retry_set_at=now,
        not_yet_at=now if again.lagging else row.not_yet_at,
        issued_at=row.issued_at
        and not_after(row.issued_at, now),  # else a wrong clock that noted it moves the deadline
    )


def _end_failed_run(tx: Tx, attempt: StepAttempt, rotation: Rotation, error: Upstream, pause: timedelta | None) -> None:
    """End the run as failed; the current secret is untouched, a new one on its way is removed."""
    run, now = attempt.snapshot.run, attempt.now()
    set_aside(tx, attempt.snapshot, now, note=error.code)
    look_at = now + attempt.context.pace.sweep_after
    failed = replace(
        rotation,
        status="failed",
        last_message=error.diagnostics()[:MAX_MESSAGE],
        failures=rotation.failures + 1,
        paused_until=None if pause is None else now + pause,
        sweep_at=min(rotation.sweep_at, look_at) if rotation.sweep_at else look_at,
        updated_at=now,
    )
    if rotation.generation == 0 and attempt.target.end_unpublished(tx, rotation, now):
        failed = replace(failed, retired=True, enabled=False, next_run_at=None, paused_until=None)
        record_rotation_event(tx, attempt.actor, events.ROTATION_ENDED, rotation, now, staysValid=[])
    policies.save(tx, failed)
    if run:
        end_run(tx, attempt.actor, rotation, run, RunState.FAILED, now, failure=failure_facts(error))
