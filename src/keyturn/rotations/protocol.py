"""The rotation protocol as one pure function: what is the next step for this application, or until when is there nothing to do?

A turn is: load the snapshot, ``decide``, do the step, repeat. Every step is one transaction, or one network call framed by
transactions, and is harmless to repeat. Nothing but ``decide`` orders steps, so this file is the protocol.

    open -> inspect -> plan -> announce -> issue -> prove (k times) -> publish    a run
                                             `-> resolve                          of which an answer was lost
    retire -> remove -> confirm (twice)                                           the secret that was replaced
    remove -> confirm (twice)                                                     one that was never published
    sweep                                                                         between runs

``StepName`` says what each step does, and ``credentials.domain.State`` where in its life a secret is. The *candidate* is the
new secret of the run, before it is published; *unresolved* is one that was asked for and of which no answer is known.
"""

from collections.abc import Iterator
from datetime import datetime

from keyturn.credentials.domain import Credential, State
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.rotations import waits
from keyturn.rotations.domain import Run, Snapshot, StepName
from keyturn.rotations.timings import ProtocolTimings, proof_plan

MAX_AWAITING_REMOVAL = 3
"""How many secrets may wait for removal before no new one is asked for: repeated failure must not pile up keys."""


@dataclass(frozen=True)
class Step:
    """Do this now, to this credential where one is concerned."""

    name: StepName
    credential: Credential | None = None


@dataclass(frozen=True)
class Wait:
    """Nothing to do before this moment."""

    until: datetime


@dataclass(frozen=True)
class Rest:
    """Nothing to do until somebody changes something."""


Decision = Step | Wait | Rest


def decide(snapshot: Snapshot, now: datetime, token: int, timings: ProtocolTimings) -> Decision:
    """Return the next step, or how long to wait.

    ``token`` is the fencing token of the lease held: a secret announced under another token was asked for by a process
    that died or was overtaken, so its answer is lost. Pure and total; cost proportional to the live rows.
    """
    moments: list[datetime] = []
    for possible in _possible(snapshot, token, timings, now):
        if isinstance(possible, datetime):
            moments.append(possible)
        elif possible.at <= now:
            return possible.step
        else:
            moments.append(possible.at)
    return Wait(min(moments)) if moments else Rest()


@dataclass(frozen=True)
class _Due:
    at: datetime
    step: Step


def _possible(snapshot: Snapshot, token: int, timings: ProtocolTimings, now: datetime) -> Iterator[_Due | datetime]:
    """Yield everything that may be done now or later, the most urgent first."""
    if snapshot.unresolved:
        yield _answer(snapshot.unresolved, snapshot, token, timings, now)
    if snapshot.run:
        yield from _run(snapshot, snapshot.run, timings, now)
    yield from _removals(snapshot, timings, now)
    rotation = snapshot.rotation
    if snapshot.run is None:
        due = waits.due(rotation, now, snapshot.signer_works_since)
        if due and not snapshot.unresolved:
            yield _Due(due, Step(StepName.OPEN))
        if rotation.sweep_at and not rotation.retired and not snapshot.unresolved:
            yield _Due(waits.swept(rotation.sweep_at, now), Step(StepName.SWEEP))


def _answer(row: Credential, snapshot: Snapshot, token: int, timings: ProtocolTimings, now: datetime) -> _Due:
    """A secret was asked for: by this very turn of work, so ask; or earlier, so find out what became of it."""
    if row.ask_token == token and not row.ask_unknown:
        return _Due(now, Step(StepName.ISSUE, row))
    looked = [waits.again(moment, timings.confirm_spacing, now) for moment in (row.asked_at, row.absent_at)]
    retry = waits.retry_at(row, snapshot, now)
    return _Due(max(*looked, retry), Step(StepName.RESOLVE, row))


def _run(snapshot: Snapshot, run: Run, timings: ProtocolTimings, now: datetime) -> Iterator[_Due | datetime]:
    at = waits.put_off(run.retry_at, run.retry_set_at, now, snapshot.try_again_since)
    candidate = snapshot.candidate
    if candidate and candidate.state is State.PROVEN and not _stale(candidate.proven_at, timings, now):
        yield _Due(now, Step(StepName.PUBLISH, candidate))
    elif candidate and candidate.state in {State.ISSUED, State.PROVEN}:
        yield _Due(_next_proof(candidate, timings, now), Step(StepName.PROVE, candidate))
    elif snapshot.unresolved:
        return
    elif _stale(run.inspected_at, timings, now):
        yield _Due(at, Step(StepName.INSPECT))
    elif candidate:
        yield _Due(at, Step(StepName.ANNOUNCE, candidate))
    else:
        yield _Due(at, Step(StepName.PLAN))


def _next_proof(candidate: Credential, timings: ProtocolTimings, now: datetime) -> datetime:
    spacing = proof_plan(candidate, timings).spacing if candidate.proofs else timings.proof_spacing
    retry = waits.put_off(candidate.retry_at, candidate.retry_set_at, now)
    return max(waits.again(candidate.proof_at, spacing, now), retry)


def _stale(seen_at: datetime | None, timings: ProtocolTimings, now: datetime) -> bool:
    """Whether what was seen or proven is too long ago to act on, or nobody knows how long: a process may have slept since."""
    valid = timings.inspection_valid
    return seen_at is None or not shift(seen_at, -valid) <= now <= shift(seen_at, valid)


def _removals(snapshot: Snapshot, timings: ProtocolTimings, now: datetime) -> Iterator[_Due]:
    """Removals, in any order, but a secret of the rotation's own that signs in for them, or for the next run, goes last."""
    signer = snapshot.own_signer
    needed = any(row is not signer and not row.kept for row in snapshot.journal)
    for row in (row for row in snapshot.journal if not needed or row is not signer):
        if row.state is State.RETIRING and row.revoke_after:
            yield _Due(waits.retirement(row, snapshot, now), Step(StepName.RETIRE, row))
        elif row.state in {State.REVOKING, State.LOST}:
            yield _removal(row, snapshot, timings, now)


def _removal(row: Credential, snapshot: Snapshot, timings: ProtocolTimings, now: datetime) -> _Due:
    retry = waits.retry_at(row, snapshot, now)
    if row.removed_at is None:
        return _Due(retry, Step(StepName.REMOVE, row))
    return _Due(max(waits.again(row.absent_at, timings.confirm_spacing, now), retry), Step(StepName.CONFIRM, row))
