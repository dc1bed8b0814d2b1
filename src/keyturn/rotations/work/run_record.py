"""The record of a run: what the database holds of it as it ends, written as an audit event and so under the hash chain.

Receipts are made of records, and verification compares the rows with them. What becomes of the credentials afterwards is told
by events of their own.
"""

from datetime import datetime
from typing import Any

from keyturn.audit import chain_events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Tx
from keyturn.kit.actor import platform
from keyturn.kit.clock import iso, iso_or_none
from keyturn.rotations.domain import Rotation, Run
from keyturn.rotations.store import runs
from keyturn.rotations.store.runs import StepRecord

MOST_STEPS = 100
"""Steps of a run that its record has, the newest. Equal attempts in a row are one."""
_MOMENTS = ("starts_at", "ends_at", "asked_at", "issued_at", "proven_at", "published_at", "retired_at", "ended_at")


def once(run_id: str) -> str:
    """Return the key that at most one record of the run carries."""
    return f"run-record:{run_id}"


def record_run(tx: Tx, rotation: Rotation, run_id: str, now: datetime) -> None:
    """Write the record of a run that has ended, in the transaction that ends it. Safe to repeat."""
    run = runs.get(tx, run_id)
    if run is None or run.finished_at is None:
        return
    facts = {
        "connectionId": rotation.connection_id,
        "runId": run.id,
        "rotation": _rotation_facts(rotation),
        "run": run_facts(run),
        "credentials": [_credential_facts(row) for row in journal.of_run(tx, rotation.id, run.id)],
        "steps": [step_facts(*step) for step in runs.numbered_steps_of(tx, [run.id])[run.id][-MOST_STEPS:]],
    }
    subject = Subject(SubjectKind.ROTATION, rotation.id, rotation.project_id)
    record(tx, platform(rotation.org_id), chain_events.RUN_RECORDED, subject, now, once(run.id), **facts)


def run_facts(run: Run) -> dict[str, Any]:
    """Return what a record says of the run itself. Nothing of it changes after the end."""
    return {
        "id": run.id,
        "reason": run.reason.value,
        "state": run.state.value,
        "requestedBy": (run.requested_by or {}).get("name") or "Keyturn",
        "requestedById": (run.requested_by or {}).get("id"),
        "createdAt": iso(run.created_at),
        "startedAt": iso_or_none(run.started_at),
        "finishedAt": iso_or_none(run.finished_at),
        "failure": (run.failure or {}).get("code"),
    }


def step_facts(step_id: int, step: StepRecord) -> dict[str, Any]:
    """Return what a record says of a step. More attempts after the end of the run change end and count of the last one."""
    times = {"startedAt": iso(step.started_at), "finishedAt": iso(step.finished_at), "repeats": step.repeats}
    return {"id": step_id, "step": step.step, "outcome": step.outcome, **times}


def _rotation_facts(rotation: Rotation) -> dict[str, Any]:
    return {
        "id": rotation.id,
        "name": rotation.name,
        "projectId": rotation.project_id,
        "connectionId": rotation.connection_id,
        "tenantId": rotation.tenant.tenant_id,
        "appId": rotation.app_id,
        "applicationObjectId": rotation.object_id,
        "applicationName": rotation.application_name,
        "credentialKind": rotation.credential_kind,
        "overlap": rotation.overlap,
    }


def _credential_facts(row: Credential) -> dict[str, Any]:
    return {
        "keyId": row.key_id,
        "displayName": row.marker,
        "hint": row.hint,
        "generation": row.generation,
        "state": row.state.value,
        "proofs": row.proofs,
        **{_camel(name): iso_or_none(getattr(row, name)) for name in (*_MOMENTS, "removed_at")},
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
