"""What a failed step means, as one pure function beside ``decide``. The workflow only obeys.

No failure touches the current secret or ends a promise to readers, and every retry has a bound:

    a step of a run    so many tries, then the run ends; the next one starts after a pause
    a proof            until its deadline, then the run ends
    a removal          ever more seldom, up to every six hours, until the key is past its end
    a look             again within the hour
"""

from datetime import datetime, timedelta

from keyturn.credentials.domain import Credential, State, settled_at
from keyturn.errors import NotYet, RefusalReason, Retryable, Upstream
from keyturn.kit.clock_difference import is_right, provider_time
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations import waits
from keyturn.rotations.domain import Rotation, Run, Snapshot, StepName
from keyturn.rotations.protocol import Step
from keyturn.rotations.run_schedule import guard
from keyturn.rotations.timings import ProtocolTimings

GIVE_UP_TRIES = 8
SWEEP_RETRY = timedelta(hours=1)
RETRY_LADDER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
RETRY_REST = timedelta(hours=6)
RETRY_URGENT = timedelta(hours=1)
_OF_A_RUN = frozenset({StepName.OPEN, StepName.INSPECT, StepName.PLAN, StepName.ANNOUNCE})
_MAY_NOT_END = frozenset({State.ASKING, State.RETIRING})


@dataclass(frozen=True)
class MarkUnknown:
    """Nobody knows whether the credential was made: it is resolved before another one is asked for."""

    credential: Credential


@dataclass(frozen=True)
class Abandon:
    """The credential was not made. ``note`` is the code of the refusal."""

    credential: Credential
    note: str


@dataclass(frozen=True)
class RetryCredential:
    """The same step on this credential again, no earlier than after ``wait``."""

    credential: Credential
    wait: timedelta


@dataclass(frozen=True)
class ProveAgain:
    """The proofs of this credential begin anew after ``wait``. ``lagging``: a replica does not know it yet."""

    credential: Credential
    wait: timedelta
    lagging: bool


@dataclass(frozen=True)
class GiveUp:
    """The credential cannot be removed and is past its end: it counts as gone."""

    credential: Credential
    note: str


@dataclass(frozen=True)
class RetryRun:
    """The run tries its next step again, no earlier than after ``wait``."""

    run: Run
    wait: timedelta


@dataclass(frozen=True)
class ShortenLifetime:
    """The provider allows no credential as long-lived: the run goes on with the shorter lifetime."""


@dataclass(frozen=True)
class EndRun:
    """The run has failed, and the secret on its way goes. The next run after ``pause``; None: when the schedule says."""

    pause: timedelta | None


@dataclass(frozen=True)
class SweepLater:
    """Look at the application again after ``wait``."""

    wait: timedelta


@dataclass(frozen=True)
class SignerTroubled:
    """Whether the provider still takes who signs in could not be found out."""


@dataclass(frozen=True)
class SignerRefused:
    """The provider refuses who signs in, or what they are for."""


OfCredential = MarkUnknown | Abandon | RetryCredential | ProveAgain | GiveUp
Consequence = OfCredential | RetryRun | ShortenLifetime | EndRun | SweepLater | SignerTroubled | SignerRefused


@dataclass(frozen=True)
class Failure:
    """The error of a step. ``jitter`` in [0, 1) spreads retries.

    ``of_signer``: it says that the provider refuses who signs in; ``clock_ahead``: how far our clock is ahead of the
    provider's, as far as that is known.
    """

    error: Upstream
    of_signer: bool
    clock_ahead: timedelta | None
    jitter: float


def after_failure(
    step: Step, snapshot: Snapshot, failure: Failure, now: datetime, timings: ProtocolTimings
) -> tuple[Consequence, ...]:
    """Return what is to be written because the step failed, in this order. Pure and total."""
    refused = (SignerRefused(),) if failure.of_signer and is_right(failure.clock_ahead) else ()
    return (*_consequences(step, snapshot, failure, now, timings), *refused)


def _consequences(
    step: Step, snapshot: Snapshot, failure: Failure, now: datetime, timings: ProtocolTimings
) -> tuple[Consequence, ...]:
    row = step.credential
    if step.name is StepName.SWEEP:
        later = SweepLater(_sweep_wait(snapshot.current, failure, now, timings))
        return (later, SignerTroubled()) if snapshot.signer_is_own and not failure.of_signer else (later,)
    if row is None or step.name in _OF_A_RUN:
        return (_run_failed(snapshot, failure, now, timings),)
    if step.name is StepName.ISSUE:
        return _issue_failed(row, snapshot, failure, now, timings)
    if step.name is StepName.PROVE and row.issued_at and now - row.issued_at < timings.proof_deadline:
        wait = _asked_for(failure.error) or timings.proof_spacing
        return (ProveAgain(row, wait, lagging=isinstance(failure.error, NotYet)),)
    if step.name in {StepName.PROVE, StepName.PUBLISH}:
        return (_end_run(snapshot, failure, now),)
    if _is_over(row, provider_time(now, failure.clock_ahead)):
        return (GiveUp(row, f"expired; its removal was refused: {failure.error.code}"),)
    return (RetryCredential(row, backoff(row.tries + 1, failure.jitter, _asked_for(failure.error))),)


def _issue_failed(
    row: Credential, snapshot: Snapshot, failure: Failure, now: datetime, timings: ProtocolTimings
) -> tuple[Consequence, ...]:
    """A refusal for good is an answer: nothing was made. Anything else has to be resolved before the next request.

    That includes "slow down" and "somebody else is changing it": a gateway may say so after the work was done.
    """
    unknown = isinstance(failure.error, Retryable)
    answer = MarkUnknown(row) if unknown else Abandon(row, failure.error.code)
    if failure.error.reason is RefusalReason.LIFETIME and _may_be_shorter(snapshot.rotation):
        return answer, ShortenLifetime()
    return answer, _run_failed(snapshot, failure, now, timings)


def _run_failed(snapshot: Snapshot, failure: Failure, now: datetime, timings: ProtocolTimings) -> Consequence:
    run = snapshot.run
    if run and may_retry(run, failure.error, timings):
        return RetryRun(run, backoff(run.tries + 1, failure.jitter, _asked_for(failure.error)))
    return _end_run(snapshot, failure, now)


def _end_run(snapshot: Snapshot, failure: Failure, now: datetime) -> EndRun:
    rotation, run = snapshot.rotation, snapshot.run
    # Under way, the schedule was changed to a later moment: then there is nothing to try again before it.
    slot = waits.slot(rotation, now)
    if run and not run.asked_for and slot is not None and slot > now:
        return EndRun(None)
    needs_action = not isinstance(failure.error, Retryable)
    urgent = _end_is_near(snapshot.current, now)
    return EndRun(retry_delay(rotation.failures + 1, failure.jitter, urgent=urgent, needs_action=needs_action))


def may_retry(run: Run, error: Upstream, timings: ProtocolTimings) -> bool:
    return isinstance(error, Retryable) and run.tries + 1 < timings.run_tries


def _may_be_shorter(rotation: Rotation) -> bool:
    return not (rotation.short_lifetime or rotation.lifetime_days)


def _is_over(row: Credential, now: datetime) -> bool:
    """Whether a credential that cannot be removed no longer works, by its end. ``now`` is by the provider's clock."""
    past = row.ends_at is not None and row.ends_at <= now
    return past and row.tries >= GIVE_UP_TRIES and row.state not in _MAY_NOT_END


def _sweep_wait(current: Credential | None, failure: Failure, now: datetime, timings: ProtocolTimings) -> timedelta:
    """Soon while a credential is still spreading, so that by the end of that time it is clear."""
    if isinstance(failure.error, Retryable) and current and current.published_at:
        there = provider_time(now, failure.clock_ahead)
        remaining = settled_at(current.published_at, timings.settle, there) - there
        if remaining > timedelta():
            return min(
                remaining, max(timings.confirm_spacing, (there - current.published_at) / 2, timedelta(seconds=1))
            )
    return SWEEP_RETRY


def _end_is_near(current: Credential | None, now: datetime) -> bool:
    return bool(current and current.begins_at and current.ends_at and now >= guard(current.begins_at, current.ends_at))


def _asked_for(error: Upstream) -> timedelta | None:
    return error.retry_after if isinstance(error, Retryable) else None


def retry_delay(failures: int, jitter: float, *, urgent: bool, needs_action: bool = False) -> timedelta:
    """How long to wait after the given number of failed runs in a row (1 or more); ``jitter`` in [0, 1) adds up to a tenth.

    A failure that needs somebody's action starts on the last rung. When the secret's end is near it is never more than an hour.
    """
    rung = failures - 1 + (len(RETRY_LADDER) - 1 if needs_action else 0)
    delay = RETRY_LADDER[rung] if rung < len(RETRY_LADDER) else RETRY_REST
    if urgent:
        delay = min(delay, RETRY_URGENT)
    return delay * (1 + jitter / 10)


def backoff(tries: int, jitter: float, retry_after: timedelta | None) -> timedelta:
    """How long to wait before a step is tried again: 1, 2, 4 ... 60 s and then the ladder; never less than asked for."""
    if tries <= 6:
        delay = timedelta(seconds=min(60, 2 ** max(0, tries - 1)))
    else:
        delay = RETRY_LADDER[tries - 7] if tries - 7 < len(RETRY_LADDER) else RETRY_REST
    delay *= 1 + jitter / 10
    return max(delay, retry_after) if retry_after else delay
