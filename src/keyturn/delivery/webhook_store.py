"""SQL of webhooks and of their journal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.changes.domain import ChangeKind
from keyturn.db.tables import webhook_attempts as attempts
from keyturn.db.tables import webhook_deliveries as deliveries
from keyturn.db.tables import webhooks
from keyturn.db.tables.views import identities, users
from keyturn.db.tables.views import project_revisions as projects
from keyturn.db.tables.views import projects as project_rows
from keyturn.db.unit import Tx
from keyturn.delivery.webhook_rules import Attempt, Delivery, State, Webhook
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.secret import SealContext, Sealed

_BEHIND = sa.and_(projects.c.id == webhooks.c.project_id, projects.c.revision > webhooks.c.position)
_DUE = sa.or_(webhooks.c.wake_at <= sa.bindparam("now"), sa.exists().where(_BEHIND))
_ANY_DUE = sa.select(webhooks.c.id).where(webhooks.c.enabled.is_(True), _DUE).limit(1)


def place(webhook_id: str, column: str = "secret") -> SealContext:
    """Return what the secret of a webhook is sealed for."""
    return SealContext("webhooks", webhook_id, column)


def add(tx: Tx, webhook: Webhook, secret: Sealed) -> None:
    tx.run(sa.insert(webhooks), **_columns(webhook), secret=secret)


def save(tx: Tx, webhook: Webhook) -> None:
    tx.run(sa.update(webhooks).where(webhooks.c.id == webhook.id).values(**_columns(webhook)))


def remove(tx: Tx, webhook_id: str) -> None:
    tx.run(sa.delete(webhooks).where(webhooks.c.id == webhook_id))


def get(tx: Tx, webhook_id: str, *, lock: bool = False) -> Webhook | None:
    query = sa.select(webhooks).where(webhooks.c.id == webhook_id)
    row = tx.one(query.with_for_update() if lock else query)
    return _webhook(row) if row else None


def of_project(tx: Tx, project_id: str) -> list[Webhook]:
    query = sa.select(webhooks).where(webhooks.c.project_id == project_id)
    return [_webhook(row) for row in tx.rows(query.order_by(webhooks.c.created_at, webhooks.c.id))]


def secrets_of(tx: Tx, webhook_id: str, now: datetime) -> list[tuple[SealContext, Sealed]]:
    """Return the sealed secret, and the previous one as long as that signs, too; each with what it is sealed for."""
    query = sa.select(webhooks.c.secret, webhooks.c.previous_secret, webhooks.c.previous_until)
    row = tx.one(query.where(webhooks.c.id == webhook_id))
    if row is None:
        return []
    secrets = [(place(webhook_id), row["secret"])]
    if row["previous_secret"] is not None and row["previous_until"] is not None and now < row["previous_until"]:
        secrets.append((place(webhook_id, "previous_secret"), row["previous_secret"]))
    return secrets


def replace_secret(tx: Tx, webhook_id: str, secret: Sealed, previous: Sealed, until: datetime) -> None:
    values = {"secret": secret, "previous_secret": previous, "previous_until": until}
    tx.run(sa.update(webhooks).where(webhooks.c.id == webhook_id).values(**values))


def owner(tx: Tx, kind: ActorKind, actor_id: str, now: datetime) -> Actor | None:
    """Return whom a webhook acts for, as they are now; None when they are gone or disabled."""
    if kind is ActorKind.USER:
        row = tx.one(
            sa.select(users.c.email, users.c.org_id, users.c.role).where(
                users.c.id == actor_id, users.c.disabled_at.is_(None)
            )
        )
        name = row["email"] if row else ""
    else:
        columns = (identities.c.name, identities.c.org_id, identities.c.role)
        row = tx.one(sa.select(*columns).where(identities.c.id == actor_id))
        name = row["name"] if row else ""
    return Actor(kind, actor_id, name, row["org_id"], Role(row["role"]), at=now) if row else None


def organization_of(tx: Tx, project_id: str) -> str:
    row = tx.one(sa.select(project_rows.c.org_id).where(project_rows.c.id == project_id))
    return str(row["org_id"]) if row else ""


# --- what is due ------------------------------------------------------------------------------------------------------


def any_due(tx: Tx, now: datetime) -> bool:
    """Whether a webhook has something to send, or its project something that the journal does not know."""
    return tx.one(_ANY_DUE, now=now) is not None


def claim(tx: Tx, now: datetime, limit: int, until: datetime) -> list[str]:
    """Put off what is due, and return it. No other transaction gets the same."""
    query = sa.select(webhooks.c.id).where(webhooks.c.enabled.is_(True), _DUE).order_by(webhooks.c.wake_at).limit(limit)
    ids = [row["id"] for row in tx.rows(query.with_for_update(skip_locked=True, of=webhooks), now=now)]
    if ids:
        tx.run(sa.update(webhooks).where(webhooks.c.id.in_(ids)).values(wake_at=until))
    return ids


def set_wake(tx: Tx, webhook_id: str, at: datetime | None) -> None:
    tx.run(sa.update(webhooks).where(webhooks.c.id == webhook_id).values(wake_at=at))


def advance(tx: Tx, webhook_id: str, before: int, position: int) -> bool:
    """Say that the journal knows all up to a number, unless another process said something meanwhile."""
    mine = (webhooks.c.id == webhook_id, webhooks.c.position == before)
    return tx.run(sa.update(webhooks).where(*mine).values(position=position)) == 1


# --- the journal ------------------------------------------------------------------------------------------------------


def add_delivery(tx: Tx, delivery: Delivery) -> bool:
    """Add a message unless it is there; say whether it was added."""
    return tx.add_new(deliveries, **{field: getattr(delivery, field) for field in _FIELDS})


def due_deliveries(tx: Tx, webhook_id: str, now: datetime, limit: int) -> list[Delivery]:
    """Return messages that are to be sent, in the order of the changes that they tell of."""
    query = sa.select(deliveries).where(deliveries.c.webhook_id == webhook_id, deliveries.c.next_at <= now)
    return [_delivery(row) for row in tx.rows(query.order_by(deliveries.c.revision, deliveries.c.id).limit(limit))]


def next_due(tx: Tx, webhook_id: str) -> datetime | None:
    """Return when the next message is to be sent."""
    row = tx.one(sa.select(sa.func.min(deliveries.c.next_at).label("at")).where(deliveries.c.webhook_id == webhook_id))
    moment: datetime | None = row["at"] if row else None
    return moment


def delivery(tx: Tx, webhook_id: str, delivery_id: str) -> Delivery | None:
    query = sa.select(deliveries).where(deliveries.c.id == delivery_id, deliveries.c.webhook_id == webhook_id)
    row = tx.one(query)
    return _delivery(row) if row else None


def note_attempt(tx: Tx, before: Delivery, attempt: Attempt, state: State, next_at: datetime | None) -> Delivery:
    """Write an attempt down, and what becomes of the message."""
    values = {name: getattr(attempt, name) for name in ("number", "at", "status", "reason", "milliseconds")}
    tx.add_new(attempts, delivery_id=before.id, **values)
    after = replace(before, attempts=attempt.number, state=state, next_at=next_at)
    save_delivery(tx, after)
    return after


def save_delivery(tx: Tx, after: Delivery) -> None:
    values = {"attempts": after.attempts, "state": after.state.value, "next_at": after.next_at}
    tx.run(sa.update(deliveries).where(deliveries.c.id == after.id).values(**values))


def give_up(tx: Tx, webhook_id: str) -> None:
    """End all messages that wait."""
    waiting = (deliveries.c.webhook_id == webhook_id, deliveries.c.next_at.is_not(None))
    tx.run(sa.update(deliveries).where(*waiting).values(state=State.FAILED.value, next_at=None))


def journal(tx: Tx, webhook_id: str, limit: int, offset: int) -> list[tuple[Delivery, Sequence[Attempt]]]:
    """Return messages, the newest first, each with its attempts."""
    query = sa.select(deliveries).where(deliveries.c.webhook_id == webhook_id)
    order = (deliveries.c.created_at.desc(), deliveries.c.revision.desc(), deliveries.c.id)
    found = [_delivery(row) for row in tx.rows(query.order_by(*order).limit(limit).offset(offset))]
    of_each: dict[str, list[Attempt]] = {}
    ids = [each.id for each in found]
    for row in tx.rows(sa.select(attempts).where(attempts.c.delivery_id.in_(ids)).order_by(attempts.c.number)):
        of_each.setdefault(row["delivery_id"], []).append(
            Attempt(row["number"], row["at"], row["status"], row["reason"], row["milliseconds"])
        )
    return [(each, of_each.get(each.id, ())) for each in found]


def old_messages(tx: Tx, before: datetime, limit: int) -> list[str]:
    """Return messages of before the moment that have come to their end, the oldest first."""
    old = sa.select(deliveries.c.id).where(deliveries.c.created_at < before, deliveries.c.next_at.is_(None))
    return [row["id"] for row in tx.rows(old.order_by(deliveries.c.created_at).limit(limit))]


def remove_messages(tx: Tx, message_ids: Sequence[str]) -> None:
    """Remove these messages with their attempts, unless they are to be sent again meanwhile."""
    tx.run(sa.delete(deliveries).where(deliveries.c.id.in_(message_ids), deliveries.c.next_at.is_(None)))


_FIELDS = ("id", "webhook_id", "revision", "kind", "body", "created_at", "next_at", "state", "attempts")
_AS_THEY_ARE = (
    *("id", "project_id", "url", "environment", "path", "acts_for_id", "enabled", "disabled_reason", "position"),
    *(
        "failing_since",
        "failures",
        "last_at",
        "last_status",
        "last_reason",
        "previous_until",
        "created_at",
        "updated_at",
    ),
)


def _columns(webhook: Webhook) -> dict[str, Any]:
    values = {name: getattr(webhook, name) for name in _AS_THEY_ARE if name != "previous_until"}
    kinds = sorted(kind.value for kind in webhook.kinds)
    return values | {"kinds": kinds, "acts_for_kind": webhook.acts_for_kind.value, "ca": webhook.ca or None}


def _webhook(row: Mapping[str, Any]) -> Webhook:
    known = {kind.value for kind in ChangeKind}
    kinds = frozenset(ChangeKind(kind) for kind in row["kinds"] or () if kind in known)
    values = {name: row[name] for name in _AS_THEY_ARE}
    return Webhook(**values, kinds=kinds, acts_for_kind=ActorKind(row["acts_for_kind"]), ca=row["ca"] or "")


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(**{name: row[name] for name in _FIELDS} | {"state": State(row["state"])})
