"""The last step of a run: the proven credential becomes the current one, and the previous one is promised to its readers."""

from dataclasses import replace
from datetime import datetime

from keyturn.connections import holders
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State
from keyturn.kit.actor import platform
from keyturn.rotations import clock
from keyturn.rotations.domain import Reason, Rotation, Run, RunState
from keyturn.rotations.overlap import promised_until
from keyturn.rotations.overlap import waits as waits_for
from keyturn.rotations.run_schedule import anchor_after, guard, next_run
from keyturn.rotations.store import evidence, freezes, policies
from keyturn.rotations.work.along import Along
from keyturn.rotations.work.attempt import StepAttempt
from keyturn.rotations.work.run_outcome import credential_facts, end_run


def publish(attempt: StepAttempt, row: Credential) -> None:
    """Make the proven secret the current one, everywhere, in one transaction.

    How long the previous one may be used, and when the next run is, others rely on: no wrong clock dates that.
    """
    now, run = clock.correct_time(attempt.now(), attempt.context.providers.clock_ahead()), attempt.run
    secret = attempt.context.sealer.open(row.value, row.seal_context) if row.value else None
    if secret is None:
        raise RuntimeError("a proven secret without its value")
    attempt.context.mark_all()
    with attempt.write() as tx:
        along = Along(attempt.context.sealer, attempt.context.providers, attempt.snapshot.rotation, now)
        mark = along.mark(tx, secret)
        holders.lock(
            tx, mark, *(along.mark_of(tx, older) for older in attempt.snapshot.journal if older.state is State.CURRENT)
        )
        rotation = policies.get(tx, attempt.work.rotation_id, lock=True)
        if rotation is None or rotation.retired:
            return
        along = replace(along, rotation=rotation)
        anchor = anchor_after(rotation.schedule, run.slot_at, now)
        due = next_run(rotation.schedule, anchor, row, freezes.of_rotation(tx, rotation))
        for older in attempt.snapshot.journal:
            if older.state is State.CURRENT:
                until = _promise(rotation, run, now, due.slot, row, older)
                waited = waits_for(rotation.overlap, now, due.at, until)
                journal.move(tx, older, State.RETIRING, retired_at=now, retired_by=run.id, revoke_after=until, **waited)
                evidence.expect(tx, rotation.id, rotation.tenant, now)
            elif older.state is State.RETIRING and run.reason is Reason.LEAKED and not older.used_elsewhere:
                journal.move(tx, older, revoke_after=older.retired_at or now)
        current = journal.move(tx, row, State.CURRENT, published_at=now, fingerprint=mark)
        attempt.target.publish(tx, rotation, current, secret, now, run.reason)
        moved = along.move(tx, attempt.snapshot.current, current, secret, run.id) if attempt.snapshot.current else 0
        policies.save(
            tx,
            replace(
                rotation,
                generation=row.generation,
                anchor=anchor,
                next_run_at=due.at,
                moved_days=due.moved_days,
                sweep_at=now + attempt.context.pace.sweep_after,
                paused_until=None,
                status="success",
                last_message=None,
                failures=0,
                last_rotated_at=now,
                updated_at=now,
            ),
        )
        actor = platform(rotation.org_id)
        end_run(
            tx, actor, rotation, run, RunState.SUCCEEDED, now, published=credential_facts(current), movedAlong=moved
        )
    attempt.session.forget()  # from now on the new secret does the work: it signs in for the removal of the old one


def _promise(
    rotation: Rotation, run: Run, now: datetime, slot: datetime, new: Credential, older: Credential
) -> datetime:
    """Until when readers of the previous secret may rely on it.

    Where it takes the slot of the next one, never until the new one has ended: that can then not be replaced.
    """
    if run.reason is Reason.LEAKED or older.removed_at is not None:
        return now
    until = promised_until(rotation.overlap, now, slot, older.ends_at if rotation.slots is None else None)
    if rotation.slots is None or new.begins_at is None or new.ends_at is None:
        return until
    near_its_end = guard(new.begins_at, new.ends_at)
    return min(until, near_its_end + (new.ends_at - near_its_end) / 2)
