"""JSON of the journal and of runs. Nothing here can hold a secret."""

from collections.abc import Mapping
from typing import Any

from keyturn.credentials.domain import Credential, State
from keyturn.kit.clock import iso, iso_or_none
from keyturn.rotations.domain import Run
from keyturn.rotations.store.runs import NOT_YET, StepRecord
from keyturn.web.schema.wire import ApiModel, Timestamp


class JournalEntry(ApiModel):
    """``hint``: the first three characters of a client secret, or the thumbprint of a certificate."""

    id: str
    key_id: str | None
    display_name: str
    hint: str | None
    generation: int
    state: str
    adopted: bool
    starts_at: Timestamp | None
    ends_at: Timestamp | None
    planned_at: Timestamp | None
    asked_at: Timestamp | None
    issued_at: Timestamp | None
    proven_at: Timestamp | None
    published_at: Timestamp | None
    retired_at: Timestamp | None
    revoked_at: Timestamp | None
    revoke_after: Timestamp | None
    note: str | None


class Journal(ApiModel):
    credentials: list[JournalEntry]


class RunRequester(ApiModel):
    kind: str
    id: str | None
    name: str


class RunFailure(ApiModel):
    """``kind``: ``retryable``, or ``needs-action`` of somebody. ``requestId`` is for the provider's support."""

    code: str
    message: str
    fix: str | None
    kind: str
    request_id: str | None


class RunStep(ApiModel):
    """``isNotEverywhereYet``: what failed is explained by replicas that do not know of the change yet, and is tried again."""

    step: str
    outcome: str
    started_at: Timestamp
    finished_at: Timestamp
    duration_ms: int
    repeats: int
    message: str | None
    is_not_everywhere_yet: bool = False


class RunShown(ApiModel):
    id: str
    reason: str
    state: str
    generation: int
    requested_by: RunRequester | None
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    duration_ms: int | None
    failure: RunFailure | None
    steps: list[RunStep]


class RunList(ApiModel):
    rotation_runs: list[RunShown]


def journal_entry(row: Credential) -> JournalEntry:
    return JournalEntry(
        id=row.id,
        key_id=row.key_id,
        display_name=row.marker,
        hint=row.hint,
        generation=row.generation,
        state=row.state.value,
        adopted=row.adopted,
        starts_at=iso_or_none(row.starts_at),
        ends_at=iso_or_none(row.ends_at),
        planned_at=iso_or_none(row.planned_at),
        asked_at=iso_or_none(row.asked_at),
        issued_at=iso_or_none(row.issued_at),
        proven_at=iso_or_none(row.proven_at),
        published_at=iso_or_none(row.published_at),
        retired_at=iso_or_none(row.retired_at),
        revoked_at=iso_or_none(row.ended_at) if row.state is State.REVOKED else None,
        revoke_after=iso_or_none(row.revoke_after),
        note=row.note,
    )


def run(rotation_run: Run, steps: list[StepRecord]) -> RunShown:
    took = (
        rotation_run.finished_at - (rotation_run.started_at or rotation_run.created_at)
        if rotation_run.finished_at
        else None
    )
    return RunShown(
        id=rotation_run.id,
        reason=rotation_run.reason.value,
        state=rotation_run.state.value,
        generation=rotation_run.generation,
        requested_by=_requester(rotation_run.requested_by),
        created_at=iso(rotation_run.created_at),
        started_at=iso_or_none(rotation_run.started_at),
        finished_at=iso_or_none(rotation_run.finished_at),
        duration_ms=None if took is None else round(took.total_seconds() * 1000),
        failure=_failure(rotation_run.failure),
        steps=[_step(step) for step in steps],
    )


def _requester(by: Mapping[str, Any] | None) -> RunRequester | None:
    return RunRequester(_word(by, "kind"), by.get("id"), _word(by, "name")) if by else None


def _failure(facts: Mapping[str, Any] | None) -> RunFailure | None:
    if not facts:
        return None
    code, message, kind = (_word(facts, name) for name in ("code", "message", "kind"))
    return RunFailure(code, message, facts.get("fix"), kind, facts.get("requestId"))


def _word(facts: Mapping[str, Any], name: str) -> str:
    """A member of a stored document; words for what is not there."""
    return str(facts.get(name) or "unknown")


def _step(step: StepRecord) -> RunStep:
    took = step.finished_at - step.started_at
    return RunStep(
        step.step,
        "failed" if step.outcome == NOT_YET else step.outcome,
        iso(step.started_at),
        iso(step.finished_at),
        round(took.total_seconds() * 1000),
        step.repeats,
        step.message,
        step.outcome == NOT_YET,
    )
