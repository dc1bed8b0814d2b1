"""JSON of the journal and of runs. Nothing here can hold a secret."""

from collections.abc import Mapping
from typing import Any

from keyturn.credentials.domain import Credential, State
from keyturn.kit.clock import iso, iso_or_none
from keyturn.rotations.domain import Run
from keyturn.rotations.store.runs import StepRecord
from keyturn.web.schema.wire import Timestamp, Wire


class JournalEntry(Wire):
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


class Journal(Wire):
    credentials: list[JournalEntry]


class RunRequester(Wire):
    kind: str
    id: str | None
    name: str


class RunFailure(Wire):
    """``kind``: ``retryable``, or ``needs-action`` of somebody. ``requestId`` is for Microsoft's support."""

    code: str
    message: str
    fix: str | None
    kind: str
    request_id: str | None


class RunStep(Wire):
    step: str
    outcome: str
    started_at: Timestamp
    finished_at: Timestamp
    duration_ms: int
    repeats: int
    message: str | None


class RunShown(Wire):
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


class RunList(Wire):
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


def run(found: Run, steps: list[StepRecord]) -> RunShown:
    took = found.finished_at - (found.started_at or found.created_at) if found.finished_at else None
    return RunShown(
        id=found.id,
        reason=found.reason.value,
        state=found.state.value,
        generation=found.generation,
        requested_by=_requester(found.requested_by),
        created_at=iso(found.created_at),
        started_at=iso_or_none(found.started_at),
        finished_at=iso_or_none(found.finished_at),
        duration_ms=None if took is None else round(took.total_seconds() * 1000),
        failure=_failure(found.failure),
        steps=[_step(step) for step in steps],
    )


def _requester(by: Mapping[str, Any] | None) -> RunRequester | None:
    return RunRequester(_word(by, "kind"), by.get("id"), _word(by, "name")) if by else None


def _failure(said: Mapping[str, Any] | None) -> RunFailure | None:
    if not said:
        return None
    code, message, kind = (_word(said, name) for name in ("code", "message", "kind"))
    return RunFailure(code, message, said.get("fix"), kind, said.get("requestId"))


def _word(said: Mapping[str, Any], name: str) -> str:
    """A member of a stored document; words for what is not there."""
    return str(said.get(name) or "unknown")


def _step(step: StepRecord) -> RunStep:
    took = step.finished_at - step.started_at
    return RunStep(
        step.step,
        step.outcome,
        iso(step.started_at),
        iso(step.finished_at),
        round(took.total_seconds() * 1000),
        step.repeats,
        step.message,
    )
