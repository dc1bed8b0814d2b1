"""What a failed step means: for each kind of failure, and for all of them that retries are bounded and promises kept."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.credentials.domain import Credential, State
from keyturn.errors import NeedsAction, NotYet, Permanent, RefusalReason, Retryable, Unanswered, Upstream
from keyturn.rotations import failure
from keyturn.rotations.domain import Reason, Run, RunState, Snapshot, StepName
from keyturn.rotations.failure import (
    Abandon,
    Consequence,
    EndRun,
    Failure,
    GiveUp,
    MarkUnknown,
    OfCredential,
    ProveAgain,
    RetryCredential,
    RetryRun,
    ShortenLifetime,
    SignerRefused,
    SignerTroubled,
    SweepLater,
    after_failure,
)
from keyturn.rotations.protocol import Step, decide
from keyturn.rotations.work.steps import NETWORK
from tests.unit.rotations.model import NOW, PATIENCE, ROTATION, TOKEN, done, snapshots, with_row

BUSY = Retryable("slow down", code="azure.throttled", retry_after=timedelta(seconds=90))
SILENT = Unanswered("no answer", code="azure.unanswered")
UNKNOWN_YET = NotYet("not known", code="azure.secret_invalid")
FORBIDDEN = NeedsAction("no permission", code="azure.forbidden")
NEVER = Permanent("never", code="azure.gone")
TOO_LONG = NeedsAction("too long", code="azure.lifetime_policy", reason=RefusalReason.LIFETIME)
ERRORS = (BUSY, SILENT, UNKNOWN_YET, FORBIDDEN, NEVER, TOO_LONG)
MOST_STEPS_A_DAY = 24 * (PATIENCE.run_tries + 2) + 60
"""When the end of a secret is near: each hour a run with all its tries and a look; and now and then a removal."""
DAYS = 5


def of(error: Upstream, *, of_signer: bool = False, clock_ahead: timedelta | None = None) -> Failure:
    return Failure(error, of_signer, clock_ahead, jitter=0.0)


def a_row(state: State, **changes: Any) -> Credential:
    return Credential("row", "rotation", "org", "object", 1, state, "keyturn name g1 abc", **changes)


RUN = Run("run", "rotation", Reason.SCHEDULED, RunState.ACTIVE, NOW)
LAST_TRY = replace(RUN, tries=PATIENCE.run_tries - 1)
ASKING, ISSUED, REVOKING = a_row(State.ASKING), a_row(State.ISSUED, issued_at=NOW), a_row(State.REVOKING)
EXPIRED = a_row(State.REVOKING, ends_at=NOW, tries=failure.GIVE_UP_TRIES)
TOO_LATE = a_row(State.ISSUED, issued_at=NOW - PATIENCE.proof_deadline)
CURRENT = a_row(State.CURRENT, published_at=NOW - timedelta(minutes=4))
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

TABLE: dict[str, tuple[StepName, Credential | None, Run | None, Upstream, tuple[Consequence, ...]]] = {
    "a look that may work later": (StepName.INSPECT, None, RUN, SILENT, (RetryRun(RUN, timedelta(seconds=1)),)),
    "told to slow down": (StepName.INSPECT, None, RUN, BUSY, (RetryRun(RUN, timedelta(seconds=90)),)),
    "the last try": (StepName.INSPECT, None, LAST_TRY, SILENT, (EndRun(MINUTE),)),
    "somebody has to act": (StepName.INSPECT, None, RUN, FORBIDDEN, (EndRun(HOUR),)),
    "a key that was made here cannot be sealed": (
        StepName.ANNOUNCE,
        a_row(State.PLANNED),
        RUN,
        FORBIDDEN,
        (EndRun(HOUR),),
    ),
    "no answer to the request": (
        StepName.ISSUE,
        ASKING,
        RUN,
        SILENT,
        (MarkUnknown(ASKING), RetryRun(RUN, timedelta(seconds=1))),
    ),
    "no answer to the last request": (StepName.ISSUE, ASKING, LAST_TRY, SILENT, (MarkUnknown(ASKING), EndRun(MINUTE))),
    "the request is refused": (
        StepName.ISSUE,
        ASKING,
        RUN,
        FORBIDDEN,
        (Abandon(ASKING, "azure.forbidden"), EndRun(HOUR)),
    ),
    "too long a life": (
        StepName.ISSUE,
        ASKING,
        RUN,
        TOO_LONG,
        (Abandon(ASKING, "azure.lifetime_policy"), ShortenLifetime()),
    ),
    "not known to a replica": (
        StepName.PROVE,
        ISSUED,
        RUN,
        UNKNOWN_YET,
        (ProveAgain(ISSUED, PATIENCE.proof_spacing, lagging=True),),
    ),
    "a proof without an answer": (
        StepName.PROVE,
        ISSUED,
        RUN,
        BUSY,
        (ProveAgain(ISSUED, timedelta(seconds=90), lagging=False),),
    ),
    "no proof by the deadline": (StepName.PROVE, TOO_LATE, RUN, UNKNOWN_YET, (EndRun(MINUTE),)),
    "what was proven does not open": (StepName.PUBLISH, a_row(State.PROVEN), RUN, FORBIDDEN, (EndRun(HOUR),)),
    "a removal that is refused": (
        StepName.REMOVE,
        REVOKING,
        None,
        FORBIDDEN,
        (RetryCredential(REVOKING, timedelta(seconds=1)),),
    ),
    "a removal of what is past its end": (
        StepName.REMOVE,
        EXPIRED,
        None,
        FORBIDDEN,
        (GiveUp(EXPIRED, "expired; its removal was refused: azure.forbidden"),),
    ),
    "a look while the new one spreads": (
        StepName.SWEEP,
        None,
        None,
        BUSY,
        (SweepLater(timedelta(minutes=2)), SignerTroubled()),
    ),
    "a look that is refused": (StepName.SWEEP, None, None, FORBIDDEN, (SweepLater(HOUR), SignerTroubled())),
}


@pytest.mark.parametrize("case", TABLE)
def test_what_a_failed_step_means(case: str) -> None:
    name, row, run, error, expected = TABLE[case]
    snapshot = Snapshot(ROTATION, (CURRENT, row) if row else (CURRENT,), run)
    assert after_failure(Step(name, row), snapshot, of(error), NOW, PATIENCE) == expected


def test_the_shorter_lifetime_is_tried_once() -> None:
    snapshot = Snapshot(replace(ROTATION, short_lifetime=True), (ASKING,), RUN)
    assert after_failure(Step(StepName.ISSUE, ASKING), snapshot, of(TOO_LONG), NOW, PATIENCE) == (
        Abandon(ASKING, "azure.lifetime_policy"),
        EndRun(HOUR),
    )


def test_a_run_that_the_schedule_has_put_off_is_not_tried_again_early_unless_somebody_asked_for_it() -> None:
    later = replace(ROTATION, next_run_at=NOW + timedelta(days=3))
    scheduled, clicked = Snapshot(later, (), RUN), Snapshot(later, (), replace(RUN, reason=Reason.MANUAL))
    step = Step(StepName.INSPECT)
    assert after_failure(step, scheduled, of(FORBIDDEN), NOW, PATIENCE) == (EndRun(None),)
    assert after_failure(step, clicked, of(FORBIDDEN), NOW, PATIENCE) == (EndRun(HOUR),)


def test_pauses_between_failed_runs_grow_unless_the_end_of_the_secret_is_near() -> None:
    dying = replace(CURRENT, starts_at=NOW - timedelta(days=30), ends_at=NOW + HOUR)
    failed_often = replace(ROTATION, failures=9)
    step = Step(StepName.INSPECT)
    assert after_failure(step, Snapshot(failed_often, (CURRENT,), LAST_TRY), of(SILENT), NOW, PATIENCE) == (
        EndRun(6 * HOUR),
    )
    assert after_failure(step, Snapshot(failed_often, (dying,), LAST_TRY), of(SILENT), NOW, PATIENCE) == (EndRun(HOUR),)


@pytest.mark.parametrize(("minutes_ahead", "expected"), [(0, True), (6, False), (-6, False)])
def test_a_refusal_of_the_signer_is_told_unless_our_clock_may_be_its_cause(minutes_ahead: int, expected: bool) -> None:
    refusal = of(FORBIDDEN, of_signer=True, clock_ahead=timedelta(minutes=minutes_ahead))
    consequences = after_failure(Step(StepName.SWEEP), Snapshot(ROTATION, (CURRENT,)), refusal, NOW, PATIENCE)
    assert consequences == (SweepLater(HOUR), *([SignerRefused()] if expected else []))


def test_no_clock_that_is_ahead_takes_a_credential_for_expired() -> None:
    ahead = of(FORBIDDEN, clock_ahead=timedelta(minutes=2))
    (consequence,) = after_failure(Step(StepName.REMOVE, EXPIRED), Snapshot(ROTATION, (EXPIRED,)), ahead, NOW, PATIENCE)
    assert isinstance(consequence, RetryCredential)


def test_how_long_a_new_secret_still_spreads_is_told_by_the_clock_of_the_provider() -> None:
    """It was published four minutes ago by our clock, which is two minutes ahead: so two minutes ago."""
    ahead = of(BUSY, clock_ahead=timedelta(minutes=2))
    consequences = after_failure(Step(StepName.SWEEP), Snapshot(ROTATION, (CURRENT,)), ahead, NOW, PATIENCE)
    assert consequences == (SweepLater(MINUTE), SignerTroubled())


# --- whatever happens -------------------------------------------------------------------------------------------------

errors = st.sampled_from(ERRORS)


def steps_of(snapshot: Snapshot) -> list[Step]:
    """Every step at all, with every credential there is."""
    rows = (None, *snapshot.journal)
    return [Step(name, row) for name in StepName for row in rows]


@given(snapshot=snapshots, error=errors)
def test_every_failure_of_every_step_means_something_and_always_the_same(snapshot: Snapshot, error: Upstream) -> None:
    for step in steps_of(snapshot):
        consequences = after_failure(step, snapshot, of(error), NOW, PATIENCE)
        assert consequences
        assert after_failure(step, snapshot, of(error), NOW, PATIENCE) == consequences


@given(snapshot=snapshots, error=errors)
def test_no_failure_ends_a_promise_or_touches_what_is_in_use(snapshot: Snapshot, error: Upstream) -> None:
    tried = tuple(replace(row, tries=failure.GIVE_UP_TRIES) for row in snapshot.journal)
    for step in steps_of(replace(snapshot, journal=tried)):
        for consequence in after_failure(step, snapshot, of(error), NOW, PATIENCE):
            if isinstance(consequence, GiveUp):
                ends_at = consequence.credential.ends_at
                assert ends_at is not None
                assert ends_at <= NOW
                assert consequence.credential.state is not State.RETIRING
            elif isinstance(consequence, OfCredential) and step.name not in {StepName.ISSUE, StepName.PROVE}:
                assert isinstance(consequence, RetryCredential)


@given(snapshot=snapshots, errors=st.lists(errors, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_work_that_fails_for_days_is_bounded(snapshot: Snapshot, errors: list[Upstream]) -> None:
    """Each call fails, in turn with each of these errors: no step is repeated without a growing pause."""
    now, steps = NOW, 0
    while now < NOW + timedelta(days=DAYS):
        decision = decide(snapshot, now, TOKEN, PATIENCE)
        if isinstance(decision, Step):
            steps += 1
            assert steps <= MOST_STEPS_A_DAY * DAYS, f"still {decision.name}"
            if decision.name in NETWORK:
                snapshot = fail(snapshot, decision, errors[steps % len(errors)], now)
            else:
                snapshot = done(snapshot, decision, now)
        else:
            now = getattr(decision, "until", NOW + timedelta(days=DAYS))


def fail(snapshot: Snapshot, step: Step, error: Upstream, now: datetime) -> Snapshot:
    for consequence in after_failure(step, snapshot, of(error), now, PATIENCE):
        snapshot = obeyed(snapshot, consequence, now)
    return snapshot


def obeyed(snapshot: Snapshot, consequence: Consequence, now: datetime) -> Snapshot:
    """What the workflow writes, in a few words."""
    rotation = snapshot.rotation
    match consequence:
        case RetryRun(run, wait):
            return replace(snapshot, run=replace(run, tries=run.tries + 1, retry_at=now + wait, retry_set_at=now))
        case ShortenLifetime():
            return replace(snapshot, rotation=replace(rotation, short_lifetime=True))
        case SweepLater(wait):
            return replace(snapshot, rotation=replace(rotation, sweep_at=now + wait))
        case EndRun(pause):
            until = None if pause is None else now + pause
            failed = replace(rotation, failures=rotation.failures + 1, paused_until=until, updated_at=now)
            return set_aside(replace(snapshot, rotation=failed, run=None))
        case SignerRefused() | SignerTroubled():
            return snapshot
        case _:
            return with_row(snapshot, changed(consequence, now))


def set_aside(snapshot: Snapshot) -> Snapshot:
    row = snapshot.candidate
    if row is None:
        return snapshot
    state = State.ABANDONED if row.state is State.PLANNED else State.REVOKING
    return with_row(snapshot, replace(row, state=state, retry_at=None, tries=0))


def changed(consequence: OfCredential, now: datetime) -> Credential:
    row = consequence.credential
    match consequence:
        case MarkUnknown():
            return replace(row, ask_unknown=True)
        case Abandon():
            return replace(row, state=State.ABANDONED)
        case GiveUp():
            return replace(row, state=State.REVOKED)
        case ProveAgain():
            begun = min(row.issued_at, now) if row.issued_at else None
            again = replace(row, proofs=0, proof_at=now, issued_at=begun)
            return replace(again, retry_at=now + consequence.wait, retry_set_at=now)
        case RetryCredential():
            return replace(row, tries=row.tries + 1, retry_at=now + consequence.wait, retry_set_at=now)
