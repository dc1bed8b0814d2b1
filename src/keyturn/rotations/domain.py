"""The rotation protocol as one pure function: what is the next step for this application, or until when is there nothing to do?

A turn is: load the snapshot, ``decide``, do the step, repeat. Every step is one transaction, or one network call framed by
transactions, and is harmless to repeat. Nothing but ``decide`` orders steps, so this file is the protocol.

    open -> inspect -> plan -> announce -> issue -> prove (k times) -> publish        a run
                                  |          `-> resolve                                an answer was lost
                                  `-> the previous secret: retire -> remove -> confirm (twice)
    sweep                                                                               when all is quiet
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from keyturn.credentials.domain import Credential, State
from keyturn.kit.moments import moved
from keyturn.ports.provider import Tenant
from keyturn.rotations import waits
from keyturn.rotations.schedule import Anchor, Schedule, last_slot, next_slot, upcoming
from keyturn.rotations.timings import ProtocolTimings, proof_plan

MAX_AWAITING_REMOVAL = 3
"""How many secrets may wait for removal before no new one is asked for: repeated failure must not pile up keys."""


class RotationKind(StrEnum):
    CONNECTION = "connection"  # the connection's own application; its current secret is the connection's credential
    APPLICATION = "application"  # any other application; its current secret is published to mapped secrets


class Reason(StrEnum):
    ENABLED = "enabled"
    SCHEDULED = "scheduled"
    MANUAL = "manual"
    EXPIRY = "expiry"
    LEAKED = "leaked"


ASKED_FOR = frozenset({Reason.MANUAL, Reason.LEAKED})
"""Only a person gives these."""


class RunState(StrEnum):
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepName(StrEnum):
    OPEN = "open"
    INSPECT = "inspect"
    PLAN = "plan"
    ANNOUNCE = "announce"
    ISSUE = "issue"
    RESOLVE = "resolve"
    PROVE = "prove"
    PUBLISH = "publish"
    RETIRE = "retire"
    REMOVE = "remove"
    CONFIRM = "confirm"
    SWEEP = "sweep"


@dataclass(frozen=True)
class Rotation:
    """A policy on one application."""

    id: str
    kind: RotationKind
    org_id: str
    project_id: str | None
    connection_id: str | None
    name: str
    tenant: Tenant
    app_id: str
    object_id: str
    application_name: str
    schedule: Schedule
    enabled: bool = True
    retired: bool = False
    credential_kind: str = "client-secret"
    """What is rotated: the method by which the connection signs in, and the provider's name for the kind."""
    lifetime_days: int | None = None
    short_lifetime: bool = False
    overlap: str = "until-proven"
    generation: int = 0
    anchor: Anchor | None = None
    next_run_at: datetime | None = None
    wake_at: datetime | None = None
    wake_set_at: datetime | None = None
    sweep_at: datetime | None = None
    paused_until: datetime | None = None
    status: str | None = None
    last_message: str | None = None
    failures: int = 0
    last_attempt_at: datetime | None = None
    last_rotated_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    unreadable: str | None = None
    """Says which of its stored values cannot be understood, and what to do."""

    @property
    def due_at(self) -> datetime | None:
        """When the next run will start by itself: the schedule or the guard; after a failed run, whoever asked for it,
        when the pause ends."""
        if not self.enabled or self.retired or self.next_run_at is None:
            return None
        return self.paused_until or self.next_run_at


@dataclass(frozen=True)
class Run:
    """One attempt to take a rotation from its generation to the next."""

    id: str
    rotation_id: str
    reason: Reason
    state: RunState
    created_at: datetime
    requested_by: dict[str, Any] | None = None
    slot_at: datetime | None = None
    generation: int = 0
    tries: int = 0
    inspected_at: datetime | None = None
    retry_at: datetime | None = None
    retry_set_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure: dict[str, Any] | None = None

    @property
    def asked_for(self) -> bool:
        """Whether a person asked for it, or joined it: then it is tried again after a failure even if nothing is due."""
        return self.reason in ASKED_FOR or self.requested_by is not None


@dataclass(frozen=True)
class Snapshot:
    """All that decide() looks at: the policy, the journal's rows that have not ended, and the run under way."""

    rotation: Rotation
    journal: tuple[Credential, ...] = ()
    run: Run | None = None

    @property
    def current(self) -> Credential | None:
        return next((row for row in self.journal if row.state is State.CURRENT), None)

    @property
    def signers(self) -> tuple[Credential, ...]:
        """What to sign in with, the best first: the current secret; once the rotation has ended, all whose value is known.

        The newest by time is the best of those: a secret that a user typed has the generation of the one before it. What was
        never published comes last: a certificate whose registration was not confirmed may be the only one left to remove it.
        """
        if self.current and not self.rotation.retired:
            return (self.current,)
        candidates = [row for row in self.journal if row.value and (row.published_at or self.rotation.retired)]
        best = sorted(
            candidates, key=lambda row: (bool(row.published_at), row.published_at or row.planned_at, row.generation)
        )
        return tuple(reversed(best))

    @property
    def signer(self) -> Credential | None:
        return next(iter(self.signers), None)

    @property
    def candidate(self) -> Credential | None:
        return next((row for row in self.journal if row.state in _ON_THE_WAY), None)

    @property
    def unresolved(self) -> Credential | None:
        return next((row for row in self.journal if row.state is State.ASKING), None)

    @property
    def unreadable(self) -> str | None:
        """Says which row of the journal cannot be understood: nothing is decided from a part of the journal."""
        return next((row.note for row in self.journal if row.state is State.UNREADABLE), None)

    @property
    def awaiting_removal(self) -> tuple[Credential, ...]:
        return tuple(row for row in self.journal if row.state in {State.REVOKING, State.LOST})


_ON_THE_WAY = frozenset({State.PLANNED, State.ISSUED, State.PROVEN})


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
class StepDone:
    """Nothing to do until somebody changes something."""


Decision = Step | Wait | StepDone


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
    return Wait(min(moments)) if moments else StepDone()


@dataclass(frozen=True)
class _Due:
    at: datetime
    step: Step


def _possible(snapshot: Snapshot, token: int, timings: ProtocolTimings, now: datetime) -> Iterator[_Due | datetime]:
    """Yield everything that may be done now or later, the most urgent first."""
    if snapshot.unresolved:
        yield _answer(snapshot.unresolved, token, timings, now)
    if snapshot.run:
        yield from _run(snapshot, snapshot.run, timings, now)
    yield from _removals(snapshot, timings, now)
    rotation = snapshot.rotation
    if snapshot.run is None:
        due = waits.due(rotation, now)
        if due and not snapshot.unresolved:
            yield _Due(due, Step(StepName.OPEN))
        if rotation.sweep_at and not rotation.retired and not snapshot.unresolved:
            yield _Due(waits.swept(rotation.sweep_at, now), Step(StepName.SWEEP))


def _answer(row: Credential, token: int, timings: ProtocolTimings, now: datetime) -> _Due:
    """A secret was asked for: by this very turn of work, so ask; or earlier, so find out what became of it."""
    if row.ask_token == token and not row.ask_unknown:
        return _Due(now, Step(StepName.ISSUE, row))
    looked = [waits.again(moment, timings.confirm_spacing, now) for moment in (row.asked_at, row.absent_at)]
    return _Due(max(*looked, waits.put_off(row.retry_at, row.retry_set_at, now)), Step(StepName.RESOLVE, row))


def _run(snapshot: Snapshot, run: Run, timings: ProtocolTimings, now: datetime) -> Iterator[_Due | datetime]:
    at = waits.put_off(run.retry_at, run.retry_set_at, now)
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
    return seen_at is None or not moved(seen_at, -valid) <= now <= moved(seen_at, valid)


def _removals(snapshot: Snapshot, timings: ProtocolTimings, now: datetime) -> Iterator[_Due]:
    """Removals, in any order, but the secret that signs in for them goes last."""
    signer = snapshot.signer
    needed = any(row is not signer and not row.kept for row in snapshot.journal)
    for row in (row for row in snapshot.journal if not needed or row is not signer):
        if row.state is State.RETIRING and row.revoke_after:
            over = waits.promised(row.revoke_after, row.retired_at, now)
            yield _Due(max(over, waits.put_off(row.retry_at, row.retry_set_at, now)), Step(StepName.RETIRE, row))
        elif row.state in {State.REVOKING, State.LOST}:
            yield _removal(row, timings, now)


def _removal(row: Credential, timings: ProtocolTimings, now: datetime) -> _Due:
    retry = waits.put_off(row.retry_at, row.retry_set_at, now)
    if row.removed_at is None:
        return _Due(retry, Step(StepName.REMOVE, row))
    return _Due(max(waits.again(row.absent_at, timings.confirm_spacing, now), retry), Step(StepName.CONFIRM, row))


# --- schedule, lifetime ---------------------------------------------------------------------------------------------


def lifetime(rotation: Rotation) -> timedelta:
    """How long a new secret lives: two intervals and three days, unless set; one interval and three days under a policy."""
    if rotation.lifetime_days:
        return timedelta(days=rotation.lifetime_days)
    intervals = 1 if rotation.short_lifetime else 2
    return timedelta(days=intervals * rotation.schedule.interval_days + 3)


def guard(starts_at: datetime, ends_at: datetime) -> datetime:
    """The moment by which a secret must be replaced whatever the schedule says: its end less a day or a tenth of its life."""
    return moved(ends_at, -max(timedelta(days=1), (ends_at - starts_at) / 10))


@dataclass(frozen=True)
class NextRun:
    at: datetime
    reason: Reason
    slot: datetime


def anchor_after(schedule: Schedule, slot: datetime | None, now: datetime) -> Anchor:
    """What the next run is counted from once a run has published: its slot, or now if it had none.

    Also now if the slot lies ahead, as noted by a wrong clock, and if the next slot has already gone by (the server was down for
    more than an interval), so that a long outage is followed by one run, not by one for each interval missed.
    """
    anchor = Anchor(slot, scheduled=True) if slot and slot <= now else Anchor(now, scheduled=False)
    return anchor if next_slot(schedule, anchor) > now else Anchor(now, scheduled=False)


def next_run(schedule: Schedule, anchor: Anchor, current: Credential | None) -> NextRun:
    """When the next run is due: the slot, or earlier if the current secret would not live that long.

    Earlier means at the same time of day, unless the secret is so short-lived that a day of its life counts.
    """
    slot = next_slot(schedule, anchor)
    if current and current.begins_at and current.ends_at:
        limit = guard(current.begins_at, current.ends_at)
        if limit < slot:
            at_time_of_day = last_slot(schedule, limit)
            early_enough = at_time_of_day - current.begins_at >= (limit - current.begins_at) / 2
            return NextRun(at_time_of_day if early_enough else limit, Reason.EXPIRY, slot)
    return NextRun(slot, Reason.SCHEDULED, slot)


def coming_runs(rotation: Rotation, count: int, now: datetime) -> Sequence[datetime]:
    """Return when the next runs will be if each succeeds at once: none while the rotation is paused."""
    first = waits.due(rotation, now)
    if first is None:
        return ()
    anchor = Anchor(first, scheduled=False)
    if rotation.anchor and (slot := next_slot(rotation.schedule, waits.known(rotation.anchor, now))) <= first:
        anchor = anchor_after(rotation.schedule, slot, first)  # a run that starts late still counts from its slot
    return upcoming(rotation.schedule, first, anchor, count)
