"""The one way to write to the audit trail."""

from datetime import datetime

from keyturn.audit import store
from keyturn.audit.domain import AuditEvent, Event, Subject
from keyturn.db.unit import Tx
from keyturn.kit.actor import Actor


def is_recorded(tx: Tx, once: str) -> bool:
    """Say whether there is an event with this key."""
    return store.has_key(tx, once)


def record(
    tx: Tx, actor: Actor, event: AuditEvent, subject: Subject, at: datetime, once: str | None = None, /, **facts: object
) -> bool:
    """Append an event of the catalogue, in the transaction of the change that it tells of; say whether it was appended.

    No fact may be a secret.

    ``once`` is a key that at most one event may carry: with a key that is there nothing happens, so a repeat is safe. Raises
    TypeError for a kind of subject and for a fact that are not declared for this event.
    """
    if subject.kind not in event.subjects:
        raise TypeError(f"the audit event {event.name} is not declared for a subject of the kind {subject.kind}")
    if undeclared := facts.keys() - set(event.fields):
        raise TypeError(f"not declared for the audit event {event.name}: {', '.join(sorted(undeclared))}")
    return store.append(
        tx, Event(event.name, actor, subject.kind.value, subject.id, at, subject.project_id, facts, once)
    )
