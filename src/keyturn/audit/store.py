"""The append-only table of audit events. The database refuses to change or delete a row."""

import sqlalchemy as sa

from keyturn.audit.domain import Event
from keyturn.db.tables import audit_events
from keyturn.db.unit import Tx


def append(tx: Tx, event: Event) -> None:
    """Add the event. An event whose ``once`` key is already there is the same event: nothing happens."""
    if event.once and tx.one(sa.select(audit_events.c.id).where(audit_events.c.once == event.once)):
        return
    tx.run(
        sa.insert(audit_events).values(
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
    )
