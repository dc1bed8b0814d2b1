"""A run of the rotation in words. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.audit.domain import StoredEvent
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations.domain import Reason, Run, RunState, StepName
from keyturn.rotations.store.runs import NOT_YET, StepRecord

_REASONS = {
    Reason.ENABLED: "Took the secret over",
    Reason.SCHEDULED: "Scheduled",
    Reason.MANUAL: "Asked for",
    Reason.EXPIRY: "Earlier than scheduled, as the secret was about to end",
    Reason.LEAKED: "Leaked",
    Reason.VANISHED: "The current secret was gone at the provider",
}
_STATES = {
    RunState.ACTIVE: ("Running", "info", "rotate"),
    RunState.SUCCEEDED: ("Succeeded", "good", "check"),
    RunState.FAILED: ("Failed", "bad", "warning"),
    RunState.CANCELLED: ("Cancelled", "neutral", "x"),
}
STEPS = {
    StepName.OPEN: "Begin",
    StepName.INSPECT: "Look at the application",
    StepName.PLAN: "Plan the new secret",
    StepName.ANNOUNCE: "Write down what will be asked for",
    StepName.ISSUE: "Ask {service} for the new secret",
    StepName.RESOLVE: "Find out what became of the request",
    StepName.PROVE: "Prove that the new secret signs in",
    StepName.PUBLISH: "Make the new secret current",
    StepName.RETIRE: "Retire the old secret",
    StepName.REMOVE: "Remove the old secret from {service}",
    StepName.CONFIRM: "Confirm that it is gone",
    StepName.SWEEP: "Look for changes by others",
}
AS_ABOVE = "For the same reason as above."
_OUTCOMES = {"done": "good", "failed": "bad"}


@dataclass(frozen=True)
class StepLine:
    label: str
    outcome: str
    tone: str
    took: str
    times: int
    message: str


@dataclass(frozen=True)
class RunLine:
    """A run as it is listed. ``failure`` is the sentence, ``fix`` what to do, ``quote`` the service's id of the call."""

    id: str
    why: str
    state: str
    tone: str
    symbol: str
    by: str
    at: datetime
    took: str
    steps: Sequence[StepLine]
    failure: str
    fix: str
    quote: str
    active: bool


def run_line(
    run: Run, steps: Sequence[StepRecord], service: str, now: datetime, *, first: str = _REASONS[Reason.ENABLED]
) -> RunLine:
    """``service`` is what holds the credentials, by name; ``first`` is what is said of the run that a rotation begins with."""
    state, tone, symbol = _STATES[run.state]
    failure = run.failure or {}
    begun = run.started_at or run.created_at
    return RunLine(
        run.id,
        first if run.reason is Reason.ENABLED else _REASONS[run.reason],
        state,
        tone,
        symbol,
        str((run.requested_by or {}).get("name") or "Keyturn"),
        run.created_at,
        took((run.finished_at or now) - begun),
        [_step(step, service, succeeded=run.state is RunState.SUCCEEDED) for step in steps],
        str(failure.get("message") or ""),
        str(failure.get("fix") or ""),
        str(failure.get("requestId") or ""),
        run.state is RunState.ACTIVE,
    )


def said_once(runs: Sequence[RunLine], above: Collection[str]) -> list[RunLine]:
    """Return the runs without a text that stands in ``above`` or in an earlier line: the cause and its fix are read once."""
    sentences, lines = set(above), []
    for run in runs:
        steps = [
            replace(step, message="") if step.message and step.message == run.failure else step for step in run.steps
        ]
        if run.failure and run.failure in sentences:
            run = replace(run, failure=AS_ABOVE, fix="")  # noqa: PLW2901
        sentences.add(run.failure)
        lines.append(replace(run, steps=steps))
    return lines


def _step(step: StepRecord, service: str, *, succeeded: bool) -> StepLine:
    step_label = next((label for name, label in STEPS.items() if name.value == step.step), step.step).format(
        service=service
    )
    # Where a run has succeeded, each of its proofs that failed was waited for, too.
    proven = succeeded and step.step == StepName.PROVE.value and step.outcome == "failed"
    if step.outcome == NOT_YET or proven:
        tries = counted(step.repeats, "try", "tries")
        duration = took(step.finished_at - step.started_at)
        return StepLine(step_label, "not yet", "neutral", duration, 1, f"not everywhere yet, {tries}")
    tone = _OUTCOMES.get(step.outcome, "neutral")
    return StepLine(
        step_label, step.outcome, tone, took(step.finished_at - step.started_at), step.repeats, step.message or ""
    )


def took(time: timedelta) -> str:
    """Return a duration in few words: ``340 ms``, ``12.4 s``, ``5 min``."""
    seconds = time.total_seconds()
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


_DRIFT = {
    "appeared": "Somebody else added a secret",
    "vanished": "Somebody removed a secret that is not managed here",
    "current-vanished": "Somebody removed the current secret",
    "stray-marker": "A secret with a name of this server's appeared that it does not know",
}


@dataclass(frozen=True)
class Drift:
    """What somebody else did to the application's secrets."""

    at: datetime
    what: str
    name: str
    key_id: str
    grave: bool
    made_by: str = ""


def drift(event: StoredEvent) -> Drift:
    kind = str(event.data.get("kind") or "")
    name, key_id = str(event.data.get("displayName") or "no name"), str(event.data.get("keyId") or "")
    return Drift(
        event.at,
        _DRIFT.get(kind, kind),
        name,
        key_id,
        kind == "current-vanished",
        str(event.data.get("probablyMadeBy") or ""),
    )
