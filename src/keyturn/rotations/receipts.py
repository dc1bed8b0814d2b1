"""The receipt of a run: who had what done and why, which credentials, how they were proven, and when. It holds no value."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from keyturn.audit import service as trail
from keyturn.audit.domain import Filter, StoredEvent
from keyturn.audit.linking import key_of
from keyturn.audit.verification import changed_among
from keyturn.authz.domain import Action
from keyturn.connections.access import connection_for
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential
from keyturn.crypto.audit_keys import ChainKey, PublishedKey, published_keys, receipt_key
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer
from keyturn.rotations.domain import Rotation, Run
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.store import policies, secret_rotations
from keyturn.rotations.store import runs as run_store
from keyturn.rotations.store.runs import StepRecord

_MOST_EVENTS = 500


class Receipts:
    """Signs what the journal, the steps and the audit trail say of a run."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock

    def public_key(self) -> str:
        """Return the public key as receipts are verified with it."""
        return str(receipt_key(self._database, self._sealer, self._clock.now()).public)

    def public_keys(self) -> list[PublishedKey]:
        """Return all keys that have signed receipts, the present one first."""
        return published_keys(self._database, self._sealer)

    def of_run(self, actor: Actor, run_id: str) -> bytes:
        """Return the receipt of a run, for who may read its connection or secret rotation: a signed note.

        Raises NotFound, Forbidden, and Refused as long as the run is under way, or when an audit event of it was changed in the
        database: nobody signs what was not written.
        """
        now = self._clock.now()
        with self._database.read() as tx:
            run, rotation = _found(tx, actor, run_id)
            if run.finished_at is None:
                raise Refused(
                    "The run is under way: there is a receipt when it has ended.",
                    code="rotation.run_under_way",
                    fix="Ask again in a moment.",
                )
            said = _content(tx, key_of(self._database), run, rotation, now)
        key = receipt_key(self._database, self._sealer, now)
        return str(key.signed(json.dumps(said | {"signedWith": key.public.label}, indent=1) + "\n")).encode()


def file_headers(run_id: str) -> dict[str, str]:
    """Return what is said of the file over HTTP."""
    return {"content-disposition": f'attachment; filename="receipt-{run_id}.txt"', "cache-control": "no-store"}


def _found(tx: Tx, actor: Actor, run_id: str) -> tuple[Run, Rotation]:
    run = run_store.get(tx, run_id)
    rotation = policies.get(tx, run.rotation_id) if run else None
    if run is None or rotation is None or rotation.org_id != actor.org_id:
        raise NotFound(f"There is no run {run_id}.", code="rotation.run_missing")
    sharing = secret_rotations.refs_of_rotation(tx, rotation.id)
    if sharing and secret_access.seen_among(tx, actor, sharing):
        return run, rotation
    if rotation.connection_id is None:
        raise NotFound(f"There is no run {run_id}.", code="rotation.run_missing")
    connection_for(tx, actor, rotation.connection_id, Action.READ_CONNECTIONS)
    return run, rotation


def _content(tx: Tx, chain: ChainKey, run: Run, rotation: Rotation, now: datetime) -> dict[str, Any]:
    rows = journal.of_rotation(tx, rotation.id)
    made = [row for row in rows if row.run_id == run.id]
    before = {row.generation - 1 for row in made}
    credentials = [row for row in rows if row in made or row.generation in before]
    key_ids = {row.key_id for row in credentials if row.key_id}
    conditions = Filter(rotation.org_id, subject_id=rotation.id, since=run.created_at)
    proven = trail.proven(tx, conditions, _MOST_EVENTS)
    concerned = [
        event for event in proven.events if event.data.get("runId") == run.id or event.data.get("keyId") in key_ids
    ]
    if changed := changed_among(tx, chain, [event.id for event in concerned]):
        raise Refused(
            f"The audit event {changed[0]} of this run was changed in the database, so there is no receipt.",
            code="audit.event_changed",
            fix="Ask whoever runs this server to look at: keyturn audit verify",
        )
    return {
        "receipt": "keyturn rotation run, version 1",
        "issuedAt": iso(now),
        "organizationId": rotation.org_id,
        "rotation": _rotation(rotation),
        "run": _run(run),
        "credentials": [_credential(row) for row in sorted(credentials, key=lambda row: row.generation)],
        "steps": [_step(step) for step in run_store.steps_of(tx, [run.id])[run.id]],
        "events": [_event(event, proven.links) for event in sorted(concerned, key=lambda event: event.id)],
        "chain": str(proven.head),
    }


def _rotation(rotation: Rotation) -> dict[str, Any]:
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


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "reason": run.reason.value,
        "state": run.state.value,
        "requestedBy": (run.requested_by or {}).get("name") or "Keyturn",
        "requestedById": (run.requested_by or {}).get("id"),
        "createdAt": iso(run.created_at),
        "startedAt": _moment(run.started_at),
        "finishedAt": _moment(run.finished_at),
        "failure": (run.failure or {}).get("code"),
    }


def _credential(row: Credential) -> dict[str, Any]:
    moments = ("starts_at", "ends_at", "asked_at", "issued_at", "proven_at", "published_at", "retired_at", "ended_at")
    return {
        "keyId": row.key_id,
        "displayName": row.marker,
        "hint": row.hint,
        "generation": row.generation,
        "state": row.state.value,
        "proofs": row.proofs,
        **{_camel(name): _moment(getattr(row, name)) for name in (*moments, "removed_at")},
    }


def _step(step: StepRecord) -> dict[str, Any]:
    times = {"startedAt": iso(step.started_at), "finishedAt": iso(step.finished_at), "repeats": step.repeats}
    return {"step": step.step, "outcome": step.outcome, **times}


def _event(event: StoredEvent, links: Mapping[int, tuple[int, str]]) -> dict[str, Any]:
    position, link = links.get(event.id, (None, None))
    return {
        "id": str(event.id),
        "at": iso(event.at),
        "event": event.name,
        "actor": event.actor_name,
        "actorId": event.actor_id,
        "facts": event.data,
        "position": position,
        "hash": link,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
