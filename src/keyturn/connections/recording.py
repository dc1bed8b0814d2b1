"""Audit events of connections: the facts that nearly all of them have."""

from datetime import datetime
from typing import Any

from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.connections.domain import Connection
from keyturn.db.unit import Tx
from keyturn.kit.actor import Actor


def record_connection_event(
    tx: Tx, actor: Actor, event: AuditEvent, connection: Connection, now: datetime, **facts: Any
) -> None:
    """Record an event of the connection with its name and app, in the transaction of the change that it tells of."""
    subject = Subject(SubjectKind.CONNECTION, connection.id, connection.project_id)
    record(tx, actor, event, subject, now, **{"name": connection.name, "app": connection.app} | facts)
