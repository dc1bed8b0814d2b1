"""Changes of rotations that may need a second person, as they are asked for and approved. Pure."""

from datetime import timedelta

from keyturn.approvals.domain import ChangeKind, ProposedChange
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.connections.domain import Connection
from keyturn.rotations.commands import HandedOver
from keyturn.rotations.domain import Rotation
from keyturn.rotations.secret_rotations.access import scope_of
from keyturn.rotations.secret_rotations.domain import SecretRotationView


def leak_of_connection(connection: Connection, rotation: Rotation) -> ProposedChange:
    return _of_connection(ChangeKind.CONNECTION_LEAKED, Action.ROTATE_CREDENTIALS, connection, rotation)


def deletion_of_connection(connection: Connection, rotation: Rotation | None, *, revoke: bool | None) -> ProposedChange:
    kind, action = ChangeKind.DELETE_CONNECTION, Action.DELETE_CONNECTIONS
    return _of_connection(kind, action, connection, rotation, revokeCredentials=revoke)


def secretless(connection: Connection, rotation: Rotation | None, source: str, watch: timedelta) -> ProposedChange:
    """Its secret is removed in the end."""
    given = {"tokenSource": source, "watchHours": watch.total_seconds() / 3600}
    return _of_connection(ChangeKind.SECRETLESS, Action.EDIT_CONNECTIONS, connection, rotation, **given)


def leak_of_rotation(view: SecretRotationView) -> ProposedChange:
    return _of_rotation(ChangeKind.ROTATION_LEAKED, Action.ROTATE_SECRETS, view)


def deletion_of_rotation(view: SecretRotationView, *, delete_secrets: bool, revoke: bool) -> ProposedChange:
    kind, action = ChangeKind.DELETE_ROTATION, Action.DELETE_ROTATIONS
    return _of_rotation(kind, action, view, deleteSecrets=delete_secrets, revokeGeneratedCredentials=revoke)


def hand_over(view: SecretRotationView, given: HandedOver) -> ProposedChange:
    """A rotation meanwhile changes nothing of it."""
    each = view.secret_rotation
    return ProposedChange(
        ChangeKind.HAND_OVER,
        each.id,
        each.name,
        Action.EDIT_ROTATIONS,
        scope_of(each.org_id, view.place, each.connection_id),
        {"keyId": given.key_id},
        view.rotation.id,
        given.value,
    )


def _of_connection(
    kind: ChangeKind, action: Action, connection: Connection, rotation: Rotation | None, **parameters: object
) -> ProposedChange:
    scope = Scope(connection.org_id, connection.project_id, connection_id=connection.id)
    return ProposedChange(kind, connection.id, connection.name, action, scope, parameters, _seen(rotation))


def _of_rotation(kind: ChangeKind, action: Action, view: SecretRotationView, **parameters: bool) -> ProposedChange:
    each = view.secret_rotation
    scope = scope_of(each.org_id, view.place, each.connection_id)
    return ProposedChange(kind, each.id, each.name, action, scope, parameters, _seen(view.rotation))


def _seen(rotation: Rotation | None) -> str:
    """Return what changes with each secret that is published: what was replaced meanwhile is not what was asked about."""
    return f"{rotation.id} {rotation.generation}" if rotation else "no rotation"
