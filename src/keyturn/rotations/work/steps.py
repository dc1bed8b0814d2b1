"""The steps of a run, from the look before it to publishing the new secret; ``opening`` begins it.

Each is one function: a transaction, or network calls followed by one. Each may be killed anywhere and repeated, except that
``issue`` asks at most once per announcement. Errors of the provider are raised before anything is written.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.audit import events
from keyturn.connections import holders
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State, marker
from keyturn.errors import NeedsAction
from keyturn.kit.actor import platform
from keyturn.ports.provider import CredentialRequest, RemoteApplication
from keyturn.rotations import clock, waits
from keyturn.rotations.consumers import counted_consumers, who_holds
from keyturn.rotations.domain import Reason, Rotation, Run, RunState, Snapshot, StepName
from keyturn.rotations.overlap import promised_until
from keyturn.rotations.overlap import waits as waits_for
from keyturn.rotations.protocol import MAX_AWAITING_REMOVAL
from keyturn.rotations.run_schedule import anchor_after, guard, lifetime, next_run
from keyturn.rotations.store import evidence, freezes, policies, runs
from keyturn.rotations.timings import proof_plan
from keyturn.rotations.work import opening, removal, sweep
from keyturn.rotations.work.along import Along
from keyturn.rotations.work.attempt import StepAttempt
from keyturn.rotations.work.run_outcome import credential_facts, end_run, record_rotation_event

ALL_SLOTS_TAKEN = "all slots for secrets are taken"
StepFunction = Callable[[StepAttempt, Credential], None]


class Deferred(Exception):
    """The run cannot go on, but will at a known moment, by the removal of secrets of ours."""

    def __init__(self, wait: timedelta, why: str = ALL_SLOTS_TAKEN) -> None:
        super().__init__(why)
        self.wait = wait
        self.why = why


def inspect(attempt: StepAttempt) -> None:
    """Look before the first write: signing in works, the application is there, it may be written, a slot is free."""
    run = _the_run(attempt.snapshot)
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


def plan(attempt: StepAttempt) -> None:
    """Write down what will be asked for, under a marker that is unique for ever."""
    now, ids, run = attempt.now(), attempt.context.ids, _the_run(attempt.snapshot)
    with attempt.write() as tx:
        rotation = policies.get(tx, attempt.work.rotation_id, lock=True)
        if rotation is None or not runs.change_run(tx, run.id, retry_at=None):
            return
        generation = rotation.generation + 1
        journal.insert(
            tx,
            Credential(
                id=ids.new(),
                rotation_id=rotation.id,
                org_id=rotation.org_id,
                object_id=rotation.object_id,
                run_id=run.id,
                generation=generation,
                state=State.PLANNED,
                marker=marker(rotation.name, generation, ids.nonce()),
                ends_at=now + lifetime(rotation),
                planned_at=now,
            ),
        )


def announce(attempt: StepAttempt, row: Credential) -> None:
    """From here on the secret may exist, even if this process dies before it hears of it.

    What is made here is kept before it is asked for: a lost answer does not lose it. The inspection may have been another
    server's, or be young only by a clock that was set back since: the end is dated by a clock that is not known to be wrong.
    """
    clock.require_right(attempt.context.providers.clock_ahead(), clock.NOTHING_NEW)
    now = attempt.now()
    ends_at = now + lifetime(attempt.snapshot.rotation)  # anew: the plan may be months old, when all servers were down
    made_here = attempt.kind.make(row.marker, now, ends_at)
    value = attempt.context.sealer.seal(made_here.value, row.seal_context) if made_here else None
    with attempt.write() as tx:
        hint = made_here.hint if made_here else None
        intent = {"asked_at": attempt.now(), "ask_token": attempt.work.lease.token, "ends_at": ends_at}
        journal.move(tx, row, State.ASKING, value=value, hint=hint, **intent)


def issue(attempt: StepAttempt, row: Credential) -> None:
    """Ask once, and seal the answer at once."""
    if row.id in attempt.work.asked:
        raise RuntimeError("a secret is asked for once")
    token = attempt.session.access(attempt.snapshot)
    attempt.work.asked.add(row.id)
    rotation = attempt.snapshot.rotation
    ends_at = row.ends_at or attempt.now() + lifetime(rotation)
    private_key = attempt.context.sealer.open(row.value, row.seal_context) if row.value else None
    order = CredentialRequest(row.object_id, row.marker, ends_at, private_key)
    issued = attempt.kind.add(rotation.tenant, token, attempt.session.signer_value(attempt.snapshot), order)
    sealed = attempt.context.sealer.seal(issued.value, row.seal_context)
    with attempt.write() as tx:
        issued_row = journal.move(
            tx,
            row,
            State.ISSUED,
            key_id=issued.key_id,
            hint=issued.hint or issued.value.hint(),
            value=sealed,
            starts_at=issued.starts_at,
            ends_at=issued.ends_at,
            issued_at=attempt.now(),
            tries=0,
            retry_at=None,
        )
        record_rotation_event(
            tx,
            attempt.actor,
            events.CREDENTIAL_ISSUED,
            rotation,
            attempt.now(),
            runId=row.run_id,
            **credential_facts(issued_row),
        )


def prove(attempt: StepAttempt, row: Credential) -> None:
    """Sign in with the new secret, as a program that has just read it would. Several times in a row: replicas differ."""
    if row.value is None:
        raise RuntimeError("an issued secret without its value")
    rotation = attempt.snapshot.rotation
    attempt.target.require_unchanged(rotation)
    token = attempt.kind.sign_in(
        rotation.tenant, rotation.app_id, attempt.context.sealer.open(row.value, row.seal_context)
    )
    # How long ago it last signed in is unknown if a wrong clock noted that: then the proofs begin anew.
    proofs = 1 if row.proof_at and row.proof_at > attempt.now() else row.proofs + 1
    last = proofs >= proof_plan(row, attempt.context.timings).count
    if last and attempt.snapshot.signer_is_own:
        attempt.kind.application(rotation.tenant, token, object_id=row.object_id)
    now = attempt.now()
    with attempt.write() as tx:
        proven_at = now if last else row.proven_at
        to = State.PROVEN if last and row.state is State.ISSUED else None
        journal.move(tx, row, to, proofs=proofs, proof_at=now, proven_at=proven_at, retry_at=None, tries=0)


def publish(attempt: StepAttempt, row: Credential) -> None:
    """Make the proven secret the current one, everywhere, in one transaction.

    How long the previous one may be used, and when the next run is, others rely on: no wrong clock dates that.
    """
    now, run = clock.corrected(attempt.now(), attempt.context.providers.clock_ahead()), _the_run(attempt.snapshot)
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
    if run.reason is Reason.LEAKED:
        return now
    until = promised_until(rotation.overlap, now, slot, older.ends_at if rotation.slots is None else None)
    if rotation.slots is None or new.begins_at is None or new.ends_at is None:
        return until
    near_its_end = guard(new.begins_at, new.ends_at)
    return min(until, near_its_end + (new.ends_at - near_its_end) / 2)


def _the_run(snapshot: Snapshot) -> Run:
    if snapshot.run is None:
        raise RuntimeError("a step of a run without a run")
    return snapshot.run


def perform(attempt: StepAttempt) -> None:
    """Do one step. Raises errors of the provider, Deferred, LeaseLost, or Refused when the journal moved meanwhile."""
    name, row = attempt.step.name, attempt.step.credential
    if name in WITHOUT_CREDENTIAL:
        WITHOUT_CREDENTIAL[name](attempt)
    elif row is not None:
        WITH_CREDENTIAL[name](attempt, row)


WITHOUT_CREDENTIAL: dict[StepName, Callable[[StepAttempt], None]] = {
    StepName.OPEN: opening.open_run,
    StepName.INSPECT: inspect,
    StepName.PLAN: plan,
    StepName.SWEEP: sweep.sweep,
}
WITH_CREDENTIAL: dict[StepName, StepFunction] = {
    StepName.ANNOUNCE: announce,
    StepName.ISSUE: issue,
    StepName.RESOLVE: removal.resolve,
    StepName.PROVE: prove,
    StepName.PUBLISH: publish,
    StepName.RETIRE: removal.retire,
    StepName.REMOVE: removal.remove,
    StepName.CONFIRM: removal.confirm,
}
NETWORK = frozenset(
    {
        StepName.INSPECT,
        StepName.ISSUE,
        StepName.RESOLVE,
        StepName.PROVE,
        StepName.RETIRE,
        StepName.REMOVE,
        StepName.CONFIRM,
        StepName.SWEEP,
    }
)
"""Steps that make network calls: the lease must outlive them."""
