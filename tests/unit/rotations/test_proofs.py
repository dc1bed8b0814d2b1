"""How many sign-ins prove a new secret, and how far apart: more of them once a replica did not know it yet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from keyturn.credentials.domain import Credential, State
from keyturn.ports.provider import Tenant
from keyturn.rotations.domain import Reason, Rotation, RotationKind, Run, RunState, Snapshot, StepName
from keyturn.rotations.protocol import Decision, Step, Wait, decide
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.timings import ProtocolTimings, proof_plan

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PRODUCTION = ProtocolTimings(3, timedelta(seconds=2), timedelta(seconds=15))
QUICK = ProtocolTimings(3, timedelta(0), timedelta(0))
ISSUED = Credential(
    "new", "rotation", "org", "object", 1, State.ISSUED, "keyturn name g1 abc", key_id="key", issued_at=NOW
)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def refused_after(delay: timedelta, **changes: object) -> Credential:
    return replace(ISSUED, not_yet_at=NOW + delay, proof_at=NOW + delay, proof_tries=1, **changes)  # type: ignore[arg-type]


def spread(row: Credential, patience: ProtocolTimings) -> timedelta:
    needed = proof_plan(row, patience)
    return needed.spacing * (needed.count - 1)


def test_a_secret_that_every_replica_knew_at_once_signs_in_three_times() -> None:
    needed = proof_plan(ISSUED, PRODUCTION)
    assert (needed.count, needed.spacing) == (3, seconds(2))


@given(st.floats(0, 4000))
def test_after_a_not_yet_five_sign_ins_are_spread_over_as_long_as_it_took_to_get_there(delay: float) -> None:
    row = refused_after(seconds(delay))
    assert proof_plan(row, PRODUCTION).count == 5
    expected = min(max(seconds(delay), seconds(10)), PRODUCTION.proof_deadline)
    assert abs(spread(row, PRODUCTION) - expected) < seconds(0.001)


def test_a_quicker_pace_is_quicker_here_too() -> None:
    assert spread(refused_after(seconds(0)), QUICK) == seconds(0)
    assert spread(refused_after(seconds(1)), replace(QUICK, proof_spacing=seconds(0.2))) == seconds(1)


def test_more_proofs_than_five_stay_more() -> None:
    row = refused_after(seconds(60))
    assert proof_plan(row, replace(PRODUCTION, proof_count=8)).count == 8
    assert spread(row, replace(PRODUCTION, proof_count=8)) >= seconds(60) - seconds(0.001)


def test_the_deadline_bounds_the_spread_and_never_makes_it_shorter_than_the_least() -> None:
    row = refused_after(seconds(3000))
    assert spread(row, PRODUCTION) == PRODUCTION.proof_deadline
    assert spread(row, replace(PRODUCTION, proof_deadline=seconds(1))) == seconds(10)


def test_a_clock_that_was_set_back_since_means_the_least_spread() -> None:
    assert spread(refused_after(seconds(-3600)), PRODUCTION) == seconds(10)


def decided(row: Credential, at: datetime) -> Decision:
    schedule = Schedule(30, 2, 15, "UTC")
    tenant = Tenant("global", "tenant")
    rotation = Rotation(
        "rotation", RotationKind.CONNECTION, "org", None, None, "name", tenant, "app", "object", "App", schedule
    )
    run = Run("run", "rotation", Reason.MANUAL, RunState.ACTIVE, NOW, inspected_at=NOW)
    return decide(Snapshot(rotation, (row,), run), at, 7, PRODUCTION)


def test_the_first_sign_in_after_a_not_yet_comes_soon_and_the_next_ones_at_their_spacing() -> None:
    row = refused_after(seconds(40))
    assert decided(row, NOW + seconds(40)) == Wait(NOW + seconds(42))
    once = replace(row, proofs=1, proof_at=NOW + seconds(42))
    assert decided(once, NOW + seconds(45)) == Wait(NOW + seconds(52))
    assert decided(once, NOW + seconds(52)) == Step(StepName.PROVE, once)
