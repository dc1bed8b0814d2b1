"""decide() answers for every combination of states, and whatever it is given comes to rest."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.credentials.domain import Credential, State
from keyturn.delivery.use_domain import Caller, Use
from keyturn.kit.secret import Sealed
from keyturn.rotations.domain import RotationKind, Snapshot, StepName
from keyturn.rotations.protocol import Decision, Rest, Step, Wait, decide
from keyturn.rotations.waits import COPIES, LONGEST_PROMISE
from tests.unit.rotations.model import NOW, PATIENCE, ROTATION, TOKEN, done, snapshots, with_row

LONG = timedelta(hours=12)
DAY = timedelta(days=1)
MOST_TURNS = 250


@given(snapshot=snapshots, token=st.integers(0, 10))
def test_decide_answers_for_every_combination(snapshot: Snapshot, token: int) -> None:
    decision = decide(snapshot, NOW, token, PATIENCE)
    assert isinstance(decision, Step | Wait | Rest)
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
        if isinstance(decision, Rest) or (isinstance(decision, Wait) and decision.until > now + LONG):
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


def _shown(credential: str, minutes: int, refresh: int | None = None, pod: str = "pod-1") -> Use:
    at = NOW - timedelta(minutes=minutes)
    announced = None if refresh is None else timedelta(minutes=refresh)
    return Use(credential, Caller("identity", "shop", pod), at, at, None, announced)


AT_ONCE, BOUND, LONGEST_WAIT = NOW, NOW + 20 * DAY, NOW + 6 * DAY
WAITING = {
    "nobody is known to have read it": ([], BOUND),
    "somebody read it once": ([_shown("old", 9999)], BOUND),
    "somebody comes every 10 minutes and has it": ([_shown("old", 5, 10)], NOW + timedelta(minutes=16)),
    "somebody comes every week and has it": ([_shown("old", 5, 7 * 24 * 60)], LONGEST_WAIT),
    "the only reader has switched": ([_shown("old", 99), _shown("new", 5)], AT_ONCE),
    "the only reader has switched, and others have the new one alone": (
        [_shown("old", 99), _shown("new", 5), _shown("new", 5, 10, "pod-2")],
        AT_ONCE,
    ),
    "one of two has switched": ([_shown("old", 99), _shown("new", 5), _shown("old", 9, None, "pod-2")], BOUND),
    "the only reader stays away": ([_shown("old", 999, 10)], AT_ONCE),
}


@pytest.mark.parametrize("case", WAITING)
def test_a_previous_secret_goes_when_nobody_holds_it_any_more(case: str) -> None:
    uses, goes_at = WAITING[case]
    old = _row("old", State.RETIRING, retired_at=NOW - DAY, revoke_after=BOUND, wait_ends_at=LONGEST_WAIT)
    new = _row("new", State.CURRENT, published_at=NOW - DAY)
    rotation = replace(ROTATION, kind=RotationKind.APPLICATION, next_run_at=NOW + 29 * DAY)
    snapshot = Snapshot(rotation, (old, new), signer_is_own=False, uses=tuple(uses))
    decision = decide(snapshot, NOW, TOKEN, PATIENCE)
    assert decision == (Step(StepName.RETIRE, old) if goes_at == NOW else Wait(goes_at)), case
    leaked = replace(old, revoke_after=old.retired_at)
    assert decide(with_row(snapshot, leaked), NOW, TOKEN, PATIENCE) == Step(StepName.RETIRE, leaked)
    promised = replace(old, wait_ends_at=None)
    assert decide(with_row(snapshot, promised), NOW, TOKEN, PATIENCE) == Wait(BOUND), "it waits for nobody"


def test_what_leaked_goes_once_no_process_gives_it_to_readers_any_more() -> None:
    leaked = _row("old", State.RETIRING, retired_by="run", retired_at=NOW, revoke_after=NOW)
    rotation = replace(ROTATION, kind=RotationKind.APPLICATION, next_run_at=NOW + 29 * DAY)
    snapshot = Snapshot(rotation, (leaked, _row("new", State.CURRENT, published_at=NOW)), signer_is_own=False)
    for now in (NOW, NOW + COPIES / 2):
        assert decide(snapshot, now, TOKEN, PATIENCE) == Wait(NOW + COPIES)
    assert decide(snapshot, NOW + COPIES, TOKEN, PATIENCE) == Step(StepName.RETIRE, leaked)
    ahead = replace(leaked, retired_at=NOW + COPIES, revoke_after=NOW + COPIES)
    assert decide(with_row(snapshot, ahead), NOW, TOKEN, PATIENCE) == Wait(NOW + 2 * COPIES), "clocks differ by as much"
    wrong = replace(leaked, retired_at=NOW + DAY, revoke_after=NOW + DAY)
    assert decide(with_row(snapshot, wrong), NOW, TOKEN, PATIENCE) == Step(StepName.RETIRE, wrong)
    gone = replace(snapshot, rotation=replace(rotation, retired=True))
    assert decide(gone, NOW, TOKEN, PATIENCE) == Step(StepName.RETIRE, leaked), "nobody reads it any more"


def test_what_still_works_signs_in_for_an_ended_current_secret_and_stays_until_there_is_a_new_one() -> None:
    old = _row("old", State.REVOKING, ends_at=NOW + DAY)
    ended = _row("ended", State.CURRENT, published_at=NOW - DAY, ends_at=NOW)
    lost = _row("lost", State.LOST)
    waiting = replace(ROTATION, next_run_at=NOW + DAY)
    snapshot = Snapshot(waiting, (old, ended, lost), seen_at=NOW)
    assert snapshot.own_signers == (old, ended)
    assert decide(snapshot, NOW, TOKEN, PATIENCE) == Step(StepName.REMOVE, lost)
    assert decide(replace(snapshot, journal=(old, ended)), NOW, TOKEN, PATIENCE) == Wait(NOW + DAY)
    renewed = replace(ended, ends_at=NOW + 9 * DAY)
    assert decide(with_row(snapshot, renewed), NOW, TOKEN, PATIENCE) == Step(StepName.REMOVE, old)
    gone = replace(old, ends_at=NOW)
    assert with_row(snapshot, gone).own_signers == (ended,)


def test_a_failed_run_is_tried_again_once_the_connection_that_signs_in_works_again() -> None:
    failed = replace(ROTATION, paused_until=NOW + timedelta(hours=6), updated_at=NOW - timedelta(minutes=5))
    snapshot = Snapshot(failed, signer_is_own=False)
    assert decide(snapshot, NOW, TOKEN, PATIENCE) == Wait(NOW + timedelta(hours=6))
    before, after = (replace(snapshot, signer_works_since=NOW - timedelta(minutes=ago)) for ago in (6, 4))
    assert decide(before, NOW, TOKEN, PATIENCE) == Wait(NOW + timedelta(hours=6))
    assert decide(after, NOW, TOKEN, PATIENCE) == Step(StepName.OPEN)


def _row(name: str, state: State, **moments: datetime) -> Credential:
    earlier: dict[str, Any] = {"published_at": NOW - 2 * DAY} | moments
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
