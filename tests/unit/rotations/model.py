"""Rotations as values: any snapshot there may be, and what a step leaves behind when it succeeds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from keyturn.credentials.domain import ENDED, KEPT, Credential, State
from keyturn.delivery.use_domain import Caller, Use
from keyturn.kit.secret import Sealed
from keyturn.ports.provider import Tenant
from keyturn.rotations.domain import Reason, Rotation, RotationKind, Run, RunState, Snapshot, StepName
from keyturn.rotations.protocol import Step
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.timings import ProtocolTimings, proof_plan

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TOKEN = 7
PATIENCE = ProtocolTimings(3, timedelta(seconds=2), timedelta(seconds=15))

MOMENTS = [
    "starts_at",
    "ends_at",
    "absent_at",
    "proof_at",
    "revoke_after",
    "removed_at",
    "retry_at",
    "retry_set_at",
    "asked_at",
    "issued_at",
    "not_yet_at",
    "proven_at",
    "published_at",
    "retired_at",
    "wait_ends_at",
    "grace_ends_at",
]

moments = st.none() | st.integers(-100_000, 100_000).map(lambda seconds: NOW + timedelta(seconds=seconds))
counts = st.integers(0, 4)


def _announced(row: Credential) -> Credential:
    """The one step that makes a row ``asking`` writes down when."""
    return replace(row, asked_at=row.asked_at or NOW) if row.state is State.ASKING else row


def credentials() -> st.SearchStrategy[Credential]:
    """A journal row in any state that has not ended, with any marks of time on it."""
    return st.builds(
        Credential,
        id=st.uuids().map(str),
        rotation_id=st.just("rotation"),
        org_id=st.just("org"),
        object_id=st.just("object"),
        generation=counts,
        state=st.sampled_from(sorted(set(State) - ENDED)),
        marker=st.just("keyturn name g1 abc"),
        key_id=st.none() | st.just("key"),
        value=st.none() | st.just(Sealed("k1.a.b")),
        ask_token=st.sampled_from([0, TOKEN - 1, TOKEN]),
        ask_unknown=st.booleans(),
        absences=st.integers(0, 1),
        proofs=counts,
        note=st.none() | st.just(KEPT),
        **dict.fromkeys(MOMENTS, moments),
    ).map(_announced)


def _uses(snapshot: Snapshot) -> st.SearchStrategy[Use]:
    """Somebody who reads or acknowledges one of the rotation's credentials, or one that has ended."""
    return st.builds(
        Use,
        st.sampled_from([*(row.id for row in snapshot.journal), "ended"]),
        st.builds(Caller, st.just("identity"), st.just("shop"), st.sampled_from(["", "pod-1", "pod-2"])),
        st.just(NOW - timedelta(days=3)),
        moments,
        moments,
        st.none() | st.integers(1, 100_000).map(lambda seconds: timedelta(seconds=seconds)),
    )


ROTATION = Rotation(
    "rotation",
    RotationKind.CONNECTION,
    "org",
    None,
    "connection",
    "name",
    Tenant("global", "tenant"),
    "app",
    "object",
    "application",
    Schedule(30, 2, 15),
    next_run_at=NOW,
)

rotations = st.builds(
    Rotation,
    id=st.just("rotation"),
    kind=st.sampled_from(RotationKind),
    org_id=st.just("org"),
    project_id=st.none(),
    connection_id=st.none(),
    name=st.just("name"),
    tenant=st.just(Tenant("global", "tenant")),
    app_id=st.just("app"),
    object_id=st.just("object"),
    application_name=st.just("application"),
    schedule=st.just(Schedule(30, 2, 15)),
    enabled=st.booleans(),
    retired=st.booleans(),
    generation=counts,
    next_run_at=moments,
    sweep_at=moments,
    paused_until=moments,
    failures=counts,
)
runs = st.builds(
    Run,
    id=st.just("run"),
    rotation_id=st.just("rotation"),
    reason=st.sampled_from(Reason),
    state=st.just(RunState.ACTIVE),
    created_at=st.just(NOW),
    inspected_at=moments,
    retry_at=moments,
    retry_set_at=moments,
    requested_at=moments,
)
snapshots = st.builds(
    Snapshot,
    rotation=rotations,
    journal=st.lists(credentials(), max_size=6).map(tuple),
    run=st.none() | runs,
    signer_is_own=st.booleans(),
    seen_at=st.none() | st.just(NOW),
    signer_works_since=moments,
).flatmap(lambda snapshot: st.lists(_uses(snapshot), max_size=3).map(lambda uses: replace(snapshot, uses=tuple(uses))))


def with_row(snapshot: Snapshot, row: Credential) -> Snapshot:
    journal = (row if other.id == row.id else other for other in snapshot.journal)
    return replace(snapshot, journal=tuple(other for other in journal if other.state not in ENDED))


def done(snapshot: Snapshot, step: Step, now: datetime) -> Snapshot:
    """What the step leaves behind when it succeeds, in a few words."""
    row = step.credential
    if row is None:
        return _run_step(snapshot, step.name, now)
    changed = {
        StepName.ANNOUNCE: replace(row, state=State.ASKING, asked_at=now, ask_token=TOKEN, ask_unknown=False),
        StepName.ISSUE: replace(row, state=State.ISSUED, issued_at=now, proofs=0, proof_at=None, retry_at=None),
        StepName.RESOLVE: _seen_absent(row, State.ABANDONED, now),
        StepName.PROVE: _proven(row, now),
        StepName.RETIRE: replace(row, state=State.REVOKING, retry_at=None, removed_at=None, absences=0, absent_at=None),
        StepName.REMOVE: replace(row, removed_at=now, absences=0, absent_at=None, retry_at=None),
        StepName.CONFIRM: _seen_absent(row, State.REVOKED, now),
    }
    return _published(snapshot, row, now) if step.name is StepName.PUBLISH else with_row(snapshot, changed[step.name])


def _seen_absent(row: Credential, end: State, now: datetime) -> Credential:
    after = replace(row, absences=row.absences + 1, absent_at=now, retry_at=None)
    return replace(after, state=end) if after.absences >= 2 else after


def _proven(row: Credential, now: datetime) -> Credential:
    proof = replace(row, proofs=row.proofs + 1, proof_at=now, retry_at=None)
    return (
        replace(proof, state=State.PROVEN, proven_at=now) if proof.proofs >= proof_plan(row, PATIENCE).count else proof
    )


def _run_step(snapshot: Snapshot, name: StepName, now: datetime) -> Snapshot:
    if name is StepName.OPEN:
        return replace(snapshot, run=Run("run", "rotation", Reason.SCHEDULED, RunState.ACTIVE, now))
    if name is StepName.SWEEP:
        return replace(snapshot, rotation=replace(snapshot.rotation, sweep_at=now + timedelta(days=1)))
    assert snapshot.run is not None
    if name is StepName.INSPECT:
        return replace(snapshot, run=replace(snapshot.run, inspected_at=now, retry_at=None))
    planned = Credential(
        f"new {len(snapshot.journal)}", "rotation", "org", "object", 9, State.PLANNED, "keyturn name g9 x"
    )
    return replace(snapshot, journal=(*snapshot.journal, planned))


def _published(snapshot: Snapshot, row: Credential, now: datetime) -> Snapshot:
    journal = tuple(
        replace(other, state=State.RETIRING, revoke_after=now, note=None) if other.state is State.CURRENT else other
        for other in snapshot.journal
    )
    published = replace(row, state=State.CURRENT, published_at=now, value=Sealed("k1.a.b"))
    due = replace(snapshot.rotation, next_run_at=now + timedelta(days=30), paused_until=None)
    return with_row(replace(snapshot, rotation=due, journal=journal, run=None), published)
