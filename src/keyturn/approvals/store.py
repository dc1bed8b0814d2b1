"""SQL of approval requests and of the settings that ask for them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.approvals.domain import ApprovalRequest, ApprovalSettings, ChangeKind, RequestState
from keyturn.authz.domain import Action
from keyturn.authz.permissions import Scope
from keyturn.db.tables import approval_requests, approval_settings
from keyturn.db.tables.views import users
from keyturn.db.unit import Tx
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.secret import SealContext

KEPT = timedelta(days=365)
"""For so long it is shown how requests were decided; the audit log has it, too."""
_SETTINGS = sa.select(approval_settings).where(approval_settings.c.id.in_(sa.bindparam("places", expanding=True)))


def settings_of(tx: Tx, org_id: str, project_id: str | None) -> tuple[ApprovalSettings, ApprovalSettings]:
    """Return those of the organization, and of the project."""
    places = [org_id, *([project_id] if project_id else [])]
    rows = {row["id"]: row for row in tx.rows(_SETTINGS, places=places)}
    return _settings(rows.get(org_id)), _settings(rows.get(project_id or ""))


def places_that_require(tx: Tx, org_id: str) -> Sequence[tuple[str | None, ApprovalSettings]]:
    """Return where a second person is needed: in a project, or (None) in the organization."""
    query = sa.select(approval_settings).where(
        approval_settings.c.org_id == org_id, approval_settings.c.required.is_(True)
    )
    return [(row["project_id"], _settings(row)) for row in tx.rows(query)]


def save_settings(tx: Tx, org_id: str, project_id: str | None, settings: ApprovalSettings, now: datetime) -> None:
    place = project_id or org_id
    tx.run(sa.delete(approval_settings).where(approval_settings.c.id == place))
    values = {"id": place, "org_id": org_id, "project_id": project_id, "updated_at": now}
    tx.run(sa.insert(approval_settings).values(**values, **asdict(settings)))


def _settings(row: Mapping[str, Any] | None) -> ApprovalSettings:
    return ApprovalSettings(row["required"], row["emergency"], row["hours"]) if row else ApprovalSettings()


# --- requests ---------------------------------------------------------------------------------------------------------

_WORDS = {
    "kind": ChangeKind,
    "action": Action,
    "state": RequestState,
    "asked_by_kind": ActorKind,
}


def place_of(request_id: str) -> SealContext:
    """Return where the value of a request is sealed."""
    return SealContext("approval_requests", request_id, "value")


def insert(tx: Tx, request: ApprovalRequest) -> None:
    values = {name: getattr(request, name) for name in ApprovalRequest.__dataclass_fields__}
    words = {name: values[name].value for name in _WORDS}
    more = {"scope": asdict(request.scope), "parameters": dict(request.parameters), "project_id": request.project_id}
    tx.run(sa.insert(approval_requests).values(**(values | words | more)))


def get(tx: Tx, org_id: str, request_id: str, *, lock: bool = False) -> ApprovalRequest | None:
    """Return the request; with ``lock`` nobody else decides it until the transaction ends."""
    query = sa.select(approval_requests).where(approval_requests.c.id == request_id)
    row = tx.one((query.with_for_update() if lock else query).where(approval_requests.c.org_id == org_id))
    return _request(row) if row else None


def pending(tx: Tx, org_id: str, now: datetime) -> Sequence[ApprovalRequest]:
    """Return those that wait, the oldest first."""
    query = sa.select(approval_requests).where(
        approval_requests.c.org_id == org_id,
        approval_requests.c.state == RequestState.PENDING.value,
        approval_requests.c.expires_at > now,
    )
    return [_request(row) for row in tx.rows(query.order_by(approval_requests.c.asked_at, approval_requests.c.id))]


def newest(tx: Tx, org_id: str, most: int) -> Sequence[ApprovalRequest]:
    """Return the newest of the organization, whatever became of them."""
    query = sa.select(approval_requests).where(approval_requests.c.org_id == org_id)
    order = (approval_requests.c.asked_at.desc(), approval_requests.c.id)
    return [_request(row) for row in tx.rows(query.order_by(*order).limit(most))]


def bypassed_since(tx: Tx, org_id: str, since: datetime) -> Sequence[ApprovalRequest]:
    query = sa.select(approval_requests).where(
        approval_requests.c.org_id == org_id,
        approval_requests.c.state == RequestState.BYPASSED.value,
        approval_requests.c.asked_at > since,
    )
    return [_request(row) for row in tx.rows(query)]


def decide(
    tx: Tx, request: ApprovalRequest, state: RequestState, actor: Actor, now: datetime, note: str | None
) -> None:
    """Write how it was decided. A value that belonged to it is forgotten."""
    update = sa.update(approval_requests).where(approval_requests.c.id == request.id)
    by = {"decided_by_id": actor.id, "decided_by_name": actor.name, "decided_at": now}
    tx.run(update.values(**by, state=state.value, note=note, value=None))


def forget(tx: Tx, now: datetime) -> None:
    """Forget the values of those that have expired, and requests of long ago."""
    over = sa.and_(approval_requests.c.expires_at <= now, approval_requests.c.value.is_not(None))
    tx.run(sa.update(approval_requests).where(over).values(value=None))
    tx.run(sa.delete(approval_requests).where(approval_requests.c.asked_at < now - KEPT))


def _request(row: Mapping[str, Any]) -> ApprovalRequest:
    fields = {name: row[name] for name in ApprovalRequest.__dataclass_fields__}
    words = {name: kind(row[name]) for name, kind in _WORDS.items()}
    return ApprovalRequest(**(fields | words | {"scope": Scope(**row["scope"])}))


# --- people -----------------------------------------------------------------------------------------------------------


def administrators(tx: Tx, org_id: str) -> int:
    """Count the people who may everything in the organization."""
    able = (users.c.org_id == org_id, users.c.role == Role.ADMIN.value, users.c.disabled_at.is_(None))
    row = tx.one(sa.select(sa.func.count().label("n")).where(*able))
    return int(row["n"]) if row else 0
