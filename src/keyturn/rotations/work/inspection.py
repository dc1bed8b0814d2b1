"""The look before the first write of a run: whatever would keep it from coming to its end is found here."""

from datetime import timedelta

from keyturn.credentials.domain import State
from keyturn.errors import NeedsAction
from keyturn.ports.provider import RemoteApplication
from keyturn.rotations import clock, waits
from keyturn.rotations.consumers import counted_consumers, who_holds
from keyturn.rotations.protocol import MAX_AWAITING_REMOVAL
from keyturn.rotations.store import runs
from keyturn.rotations.work import sweep
from keyturn.rotations.work.attempt import StepAttempt

ALL_SLOTS_TAKEN = "all slots for secrets are taken"


class Deferred(Exception):
    """The run cannot go on, but will at a known moment, by the removal of secrets of ours."""

    def __init__(self, wait: timedelta, why: str = ALL_SLOTS_TAKEN) -> None:
        super().__init__(why)
        self.wait = wait
        self.why = why


def inspect(attempt: StepAttempt) -> None:
    """Look before the first write: signing in works, the application is there, it may be written, a slot is free."""
    run = attempt.run
    with clock.compared(attempt.context.providers, clock.NOTHING_NEW):
        application = attempt.session.look(attempt.snapshot)
        token = attempt.session.access(attempt.snapshot)
        attempt.target.require_permitted(attempt.snapshot.rotation, application, token)
    if attempt.snapshot.rotation.unreadable:
        raise NeedsAction(attempt.snapshot.rotation.unreadable, code="rotation.schedule_unreadable")
    _require_few_awaiting_removal(attempt)
    _require_free_slot(attempt, application)
    with attempt.write() as tx:
        sweep.record_observation(tx, attempt, application)
        runs.change_run(
            tx, run.id, inspected_at=attempt.now(), retry_at=None, started_at=run.started_at or attempt.now()
        )
        sweep.note_accepted(tx, attempt, looked=False)


def _require_few_awaiting_removal(attempt: StepAttempt) -> None:
    """Raises Deferred while they are being removed, NeedsAction once their removal fails."""
    if len(attempt.snapshot.awaiting_removal) < MAX_AWAITING_REMOVAL:
        return
    waiting = (
        f"{len(attempt.snapshot.awaiting_removal)} earlier secrets of this application still wait for their removal."
    )
    if not all(row.tries for row in attempt.snapshot.awaiting_removal):
        raise Deferred(attempt.context.pace.confirm_spacing, waiting)  # some removal has not met any trouble yet
    raise NeedsAction(
        waiting,
        code="rotation.removals_pending",
        fix=f"See {attempt.target.describe().credentials} for what is answered to the removal; rotation goes on once they are "
        "gone.",
    )


def _require_free_slot(attempt: StepAttempt, application: RemoteApplication) -> None:
    """An application for personal accounts holds two secrets. Raises Deferred if ours frees one soon, else NeedsAction."""
    planned = 0 if attempt.snapshot.candidate and attempt.snapshot.candidate.key_id else 1
    if application.slots is None or len(application.credentials) + planned <= application.slots:
        return
    now, snapshot, soonest = attempt.now(), attempt.snapshot, attempt.context.pace.confirm_spacing
    # Whatever keeps them from going keeps this run waiting, too: it must not look again and again meanwhile. The one that
    # signs in for this run stays until the next one can.
    leaving = [row for row in snapshot.journal if row is not snapshot.own_signer]
    moments = [waits.retry_at(row, snapshot, now) for row in leaving if row in snapshot.awaiting_removal]
    promised = [row for row in leaving if row.state is State.RETIRING and row.revoke_after]
    moments += [waits.retirement(row, snapshot, now) for row in promised]
    if moments:
        why = ALL_SLOTS_TAKEN
        holding = sum(len(who_holds(snapshot, row, now)) for row in snapshot.waiting)
        if holding:
            why += f", by a previous secret that {counted_consumers(holding)} may still use"
        raise Deferred(max(min(moments) - now, soonest), why)
    living = {row.key_id for row in snapshot.journal if row.ends_at is None or row.ends_at > now}
    removable = [
        f"'{credential.name or credential.key_id}'"
        for credential in application.credentials
        if credential.key_id not in living
    ]
    raise NeedsAction(
        f"The application may hold {application.slots} secrets and does, because its audience includes personal accounts.",
        code="rotation.no_free_slot",
        fix=f"Remove a secret that is no longer used ({', '.join(removable)}) under Certificates & secrets, then rotate again.",
    )
