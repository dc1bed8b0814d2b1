"""The receipt of a run: who had what done and why, which credentials, how they were proven, and when. It holds no value."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from keyturn.audit import service as trail
from keyturn.audit.domain import Filter, StoredEvent
from keyturn.audit.linking import key_of
from keyturn.audit.verification import changed_among
from keyturn.authz.domain import Action
from keyturn.connections.access import connection_for
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
from keyturn.rotations.work.run_record import once

_MOST_EVENTS = 500
"""Events that a receipt holds, the newest. It says how many older ones are left out."""


class Receipts:
    """Signs what the audit trail says of a run, and no other row: all of a receipt is under the hash chain."""

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

        Raises NotFound, Forbidden, and Refused as long as the run is under way, when it has no record, and when an audit event of
        it was changed in the database: nobody signs what was not written.
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
        raise NotFound(
            f"There is no run {run_id}.",
            code="rotation.run_missing",
            fix="GET .../rotation-runs of the connection or of the secret rotation lists its runs.",
        )
    sharing = secret_rotations.refs_of_rotation(tx, rotation.id)
    if sharing and secret_access.seen_among(tx, actor, sharing):
        return run, rotation
    if rotation.connection_id is None:
        raise NotFound(
            f"There is no run {run_id}.",
            code="rotation.run_missing",
            fix="GET .../rotation-runs of the connection or of the secret rotation lists its runs.",
        )
    connection_for(tx, actor, rotation.connection_id, Action.READ_CONNECTIONS)
    return run, rotation


def _content(tx: Tx, chain: ChainKey, run: Run, rotation: Rotation, now: datetime) -> dict[str, Any]:
    """Return what the record of the run says, and the events of it and its credentials: what the hash chain proves, all of it."""
    found = trail.with_key(tx, rotation.org_id, once(run.id))
    if found is None:
        raise Refused(
            "There is no record of this run, so there is no receipt: it ended before this server wrote records, or the record is"
            " no longer kept.",
            code="rotation.run_not_recorded",
            fix="What is known of the run is in the audit log.",
        )
    record, link = found
    if link is None:
        raise _changed(record.id)
    _require_unchanged(
        tx, chain, [record.id]
    )  # before anything of it is read: what somebody wrote there may have any form
    told = {name: record.data.get(name) for name in ("rotation", "run", "credentials", "steps")}
    key_ids = [each["keyId"] for each in record.data["credentials"] if each["keyId"] is not None]
    begun = datetime.fromisoformat(record.data["run"]["createdAt"])

    def concerned(event: StoredEvent) -> bool:
        return event.id != record.id and (event.data.get("runId") == run.id or event.data.get("keyId") in key_ids)

    conditions = Filter(rotation.org_id, subject_id=record.subject_id, since=begun)
    proven = trail.events_with_links(tx, conditions, concerned, _MOST_EVENTS)
    _require_unchanged(tx, chain, [event.id for event in proven.events])
    return {
        "receipt": "keyturn rotation run, version 2",
        "issuedAt": iso(now),
        "organizationId": rotation.org_id,
        **told,
        "record": _place(record, link),
        "events": [_event(event, proven.links) for event in sorted(proven.events, key=lambda event: event.id)],
        "olderEventsLeftOut": proven.left_out,
        "chain": str(proven.head),
    }


def _require_unchanged(tx: Tx, chain: ChainKey, event_ids: Sequence[int]) -> None:
    changed = changed_among(tx, chain, event_ids)
    if changed:
        raise _changed(changed[0])


def _changed(event_id: int) -> Refused:
    return Refused(
        f"The audit event {event_id} of this run was changed in the database, so there is no receipt.",
        code="audit.event_changed",
        fix="Ask whoever runs this server to look at: keyturn audit verify",
    )


def _event(event: StoredEvent, links: Mapping[int, tuple[int, str]]) -> dict[str, Any]:
    return {
        "at": iso(event.at),
        "event": event.name,
        "actor": event.actor_name,
        "actorId": event.actor_id,
        "facts": event.data,
        **_place(event, links[event.id]),
    }


def _place(event: StoredEvent, link: tuple[int, str]) -> dict[str, Any]:
    return {"id": str(event.id), "position": link[0], "hash": link[1]}
