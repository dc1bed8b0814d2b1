"""The new credential of a run: planned, announced, asked for, and proven by signing in with it."""

from keyturn.audit import events
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State, marker
from keyturn.ports.provider import CredentialRequest
from keyturn.rotations import clock
from keyturn.rotations.run_schedule import lifetime
from keyturn.rotations.store import policies, runs
from keyturn.rotations.timings import proof_plan
from keyturn.rotations.work.attempt import StepAttempt
from keyturn.rotations.work.run_outcome import credential_facts, record_rotation_event


def plan(attempt: StepAttempt) -> None:
    """Write down what will be asked for, under a marker that is unique for ever."""
    now, ids, run = attempt.now(), attempt.context.ids, attempt.run
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
