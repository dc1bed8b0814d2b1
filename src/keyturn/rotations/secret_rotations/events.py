"""Events of secret rotations in the audit trail."""

from datetime import datetime
from typing import Any

from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.db.unit import Tx
from keyturn.kit.actor import Actor
from keyturn.rotations.secret_rotations.domain import SecretRotationView


def record_secret_rotation_event(
    tx: Tx,
    actor: Actor,
    event: AuditEvent,
    view: SecretRotationView,
    now: datetime,
    *,
    once: str | None = None,
    **facts: Any,
) -> None:
    """Record an event with where it publishes what; ``once`` as for :func:`record`."""
    each = view.secret_rotation
    common = {
        "name": each.name,
        "rotationId": each.rotation_id,
        "connectionId": each.connection_id,
        "applicationObjectId": view.rotation.object_id,
        "appId": view.rotation.app_id,
        "environment": view.place.environment,
        "secretPath": view.place.path,
        "secretKeys": [view.names.client_id, view.names.client_secret],
    }
    record(
        tx, actor, event, Subject(SubjectKind.SECRET_ROTATION, each.id, each.project_id), now, once, **common | facts
    )
