"""decide() answers for every combination of states, and whatever it is given comes to rest."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.credentials.domain import Credential, State
from keyturn.kit.secret import Sealed
from keyturn.rotations.domain import Snapshot, StepName
from keyturn.rotations.protocol import Decision, Step, StepDone, Wait, decide
from keyturn.rotations.waits import LONGEST_PROMISE
from tests.unit.rotations.model import NOW, PATIENCE, ROTATION, TOKEN, done, snapshots, with_row

LONG = timedelta(hours=12)
DAY = timedelta(days=1)
MOST_TURNS = 250


@given(snapshot=snapshots, token=st.integers(0, 10))
def test_decide_answers_for_every_combination(snapshot: Snapshot, token: int) -> None:
    decision = decide(snapshot, NOW, token, PATIENCE)
    assert isinstance(decision, Step | Wait | StepDone)
    if isinstance(decision, Wait):
        assert decision.until > NOW
    if isinstance(decision, Step) and decision.credential:
        assert decision.credential in snapshot.journal


@given(snapshot=snapshots, years=st.integers(0, 7000))
def test_no_moment_of_the_future_keeps_anybody_waiting_for_longer_than_it_was_meant_to(
    snapshot: Snapshot, years: int
) -> None:
    """All that is stored was written by a clock that was ahead by so much, at the same moment or not."""
    ahead = timedelta(days=365 * years)

    def later(item: Any) -> Any:
        marks = {name: getattr(item, name) for name in item.__dataclass_fields__}
        return replace(item, **{name: value + ahead for name, value in marks.items() if isinstance(value, datetime)})

    run = later(snapshot.run) if snapshot.run else None
    wrong = Snapshot(later(snapshot.rotation), tuple(later(row) for row in snapshot.journal), run)
    decision = decide(wrong, NOW, TOKEN, PATIENCE)
    if isinstance(decision, Wait):
        assert NOW < decision.until <= NOW + LONGEST_PROMISE


@given(snapshot=snapshots)
def test_the_same_snapshot_is_decided_the_same(snapshot: Snapshot) -> None:
    first: Decision = decide(snapshot, NOW, TOKEN, PATIENCE)
    assert decide(snapshot, NOW, TOKEN, PATIENCE) == first


@given(snapshot=snapshots)
def test_a_key_that_its_user_keeps_is_never_removed(snapshot: Snapshot) -> None:
    journal = tuple(replace(row, revoke_after=None) if row.kept else row for row in snapshot.journal)
    decision = decide(replace(snapshot, journal=journal), NOW, TOKEN, PATIENCE)
    if isinstance(decision, Step) and decision.name in {StepName.RETIRE, StepName.REMOVE}:
        assert decision.credential is not None
        assert not decision.credential.kept


@given(snapshot=snapshots, failures=st.lists(st.booleans(), max_size=20))
@settings(max_examples=300)
def test_everything_comes_to_rest(snapshot: Snapshot, failures: list[bool]) -> None:
    """Steps that fail for a while and then succeed lead to where nothing is to do for hours, in a bounded number of turns."""
    now, rest = NOW, list(failures)
    for _ in range(MOST_TURNS):
        decision = decide(snapshot, now, TOKEN, PATIENCE)
        if isinstance(decision, StepDone) or (isinstance(decision, Wait) and decision.until > now + LONG):
            return
        if isinstance(decision, Wait):
            now = decision.until
        elif rest and rest.pop():
            snapshot = _failed(snapshot, decision, now)
        else:
            snapshot = done(snapshot, decision, now)
    raise AssertionError(f"still at work: {decision}")


def test_a_secret_that_signs_in_for_the_others_is_removed_last_and_any_other_at_once() -> None:
    """Of an ended rotation one secret is promised for a day, and the newest, which would sign in, is to go now."""
    promised = _row("promised", State.RETIRING, retired_at=NOW - DAY, revoke_after=NOW + DAY)
    newest = _row("newest", State.REVOKING, published_at=NOW - DAY)
    own = Snapshot(replace(ROTATION, retired=True), (promised, newest))
    assert isinstance(decide(own, NOW, TOKEN, PATIENCE), Wait)
    assert decide(replace(own, signer_is_own=False), NOW, TOKEN, PATIENCE) == Step(StepName.REMOVE, newest)


def _row(name: str, state: State, **moments: datetime) -> Credential:
    earlier = {"published_at": NOW - 2 * DAY} | moments
    return Credential(name, "rotation", "org", "object", 1, state, name, value=Sealed("k1.a.b"), **earlier)


def _failed(snapshot: Snapshot, step: Step, now: datetime) -> Snapshot:
    """Try the same later, as after an error that may pass."""
    later = now + timedelta(seconds=30)
    if step.name is StepName.SWEEP:
        return replace(snapshot, rotation=replace(snapshot.rotation, sweep_at=later))
    if step.name is StepName.ISSUE and step.credential:
        return with_row(snapshot, replace(step.credential, ask_unknown=True))
    if step.credential:
        return with_row(snapshot, replace(step.credential, retry_at=later))
    return replace(snapshot, run=replace(snapshot.run, retry_at=later)) if snapshot.run else snapshot
