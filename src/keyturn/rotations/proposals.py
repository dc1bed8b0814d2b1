"""Changes of rotations that may need a second person, as they are asked for and approved. Pure."""

from datetime import timedelta

from keyturn.approvals.domain import NO_ROTATION, ChangeKind, ProposedChange
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.connections.domain import Connection
from keyturn.ports.sign_in import Credentials, SignInMethod
from keyturn.rotations.commands import Adoption, ConnectionChange, HandedOver
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


def new_credentials(
    connection: Connection,
    rotation: Rotation | None,
    method: SignInMethod,
    credentials: Credentials,
    adoption: Adoption | None,
    change: ConnectionChange,
) -> ProposedChange:
    """What was typed is sealed with the request; what of it may be shown, is."""
    told = {name: text for name, text in (method.facts(credentials) or {}).items() if isinstance(text, str) and text}
    if adoption:
        told["keyId"] = adoption.key.key_id
        told |= {"hint": adoption.key.hint} if adoption.key.hint else {}
    if method.key != connection.method:
        told["method"] = method.key
    return ProposedChange(
        ChangeKind.CREDENTIALS,
        connection.id,
        connection.name,
        Action.EDIT_CONNECTIONS,
        Scope(connection.org_id, connection.project_id, connection_id=connection.id),
        {
            "tenantId": credentials.tenant_id,
            "clientId": credentials.client_id,
            **told,
            "moveOthersAlong": change.move_along,
            "confirmKeyId": change.confirms_key_id,
        },
        seen_credentials(connection, rotation),
        method.value(credentials),
    )


def seen_credentials(connection: Connection, rotation: Rotation | None) -> str:
    """Return what changes with each credential that the connection gets: in whatever way, it is another one then."""
    return f"{state_seen(rotation)} {connection.secret_version}"


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


def release(view: SecretRotationView, key_id: str, *, confirmed: bool) -> ProposedChange:
    """A rotation meanwhile changes nothing of it. ``confirmed``: although it is held, or seen in use."""
    each = view.secret_rotation
    return ProposedChange(
        ChangeKind.RELEASE,
        each.id,
        each.name,
        Action.EDIT_ROTATIONS,
        scope_of(each.org_id, view.place, each.connection_id),
        {"keyId": key_id, "confirmed": confirmed},
        view.rotation.id,
    )


def _of_connection(
    kind: ChangeKind, action: Action, connection: Connection, rotation: Rotation | None, **parameters: object
) -> ProposedChange:
    scope = Scope(connection.org_id, connection.project_id, connection_id=connection.id)
    return ProposedChange(kind, connection.id, connection.name, action, scope, parameters, state_seen(rotation))


def _of_rotation(kind: ChangeKind, action: Action, view: SecretRotationView, **parameters: bool) -> ProposedChange:
    each = view.secret_rotation
    scope = scope_of(each.org_id, view.place, each.connection_id)
    return ProposedChange(kind, each.id, each.name, action, scope, parameters, state_seen(view.rotation))


def state_seen(rotation: Rotation | None) -> str:
    """Return what changes with each secret that is published: what was replaced meanwhile is not what was asked about."""
    return f"{rotation.id} {rotation.generation}" if rotation else NO_ROTATION
