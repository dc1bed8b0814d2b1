"""The append-only table of audit events. The database refuses to change or delete a row."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from keyturn.audit.domain import Event, Filter, Recorded
from keyturn.db.tables import audit_events
from keyturn.db.unit import Tx

_WITH_KEY = sa.select(audit_events.c.id).where(audit_events.c.once == sa.bindparam("once"))


def append(tx: Tx, event: Event) -> None:
    """Add the event. An event whose ``once`` key is already there is the same event: nothing happens."""
    # A trigger refuses to insert a key that is there, since SQLite would let it replace the event. There is one writer there.
    if event.once is not None and not tx.postgres and tx.one(_WITH_KEY, once=event.once):
        return
    tx.add_new(
        audit_events,
        at=event.at,
        org_id=event.actor.org_id,
        project_id=event.project_id,
        actor_kind=event.actor.kind.value,
        actor_id=event.actor.id,
        actor_name=event.actor.name,
        event=event.name,
        subject_kind=event.subject_kind,
        subject_id=event.subject_id,
        data=event.data,
        once=event.once,
        request_id=event.actor.request_id,
    )


def newest(tx: Tx, wanted: Filter, limit: int) -> list[Recorded]:
    """Return the matching events, newest first."""
    column = audit_events.c
    where = [column.org_id == wanted.org_id]
    if wanted.before is not None:
        where.append(column.id < wanted.before)
    choices = (
        (column.project_id, wanted.project_id),
        (column.event, wanted.event),
        (column.subject_id, wanted.subject_id),
        (column.actor_id, wanted.actor_id),
    )
    where += [chosen == value for chosen, value in choices if value]
    query = sa.select(audit_events).where(*where).order_by(column.id.desc()).limit(limit)
    return [_recorded(row) for row in tx.rows(query)]


def _recorded(row: Mapping[str, Any]) -> Recorded:
    return Recorded(
        row["id"],
        row["at"],
        row["event"],
        row["actor_kind"],
        row["actor_id"],
        row["actor_name"],
        row["subject_kind"],
        row["subject_id"],
        row["project_id"],
        row["request_id"],
        row["data"],
    )
