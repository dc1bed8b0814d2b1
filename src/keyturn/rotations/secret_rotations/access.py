"""Who may do what with secret rotations: the one way to one of them, by id, for an actor, with a permission."""

from collections.abc import Sequence

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.connections.access import connection_for
from keyturn.connections.domain import Connection
from keyturn.db.unit import Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.rotations.domain import Rotation
from keyturn.rotations.secret_rotations.domain import SecretRotationRef, SecretRotationView
from keyturn.rotations.store import policies
from keyturn.rotations.store import secret_rotations as store
from keyturn.secrets.domain import Place


def scope_of(org_id: str, place: Place, connection_id: str | None) -> Scope:
    return Scope(org_id, place.project_id, place.environment, place.path, connection_id)


def is_allowed_on(tx: Tx, actor: Actor, action: Action, view: SecretRotationView) -> bool:
    each = view.secret_rotation
    return authorize.is_allowed(tx, actor, action, scope_of(each.org_id, view.place, each.connection_id))


def get_view(tx: Tx, actor: Actor, action: Action, secret_rotation_id: str) -> SecretRotationView:
    """Return the secret rotation on which the actor may do this. Raises NotFound or Forbidden."""
    view = store.view(tx, secret_rotation_id)
    if view is None or view.secret_rotation.org_id != actor.org_id:
        raise missing(secret_rotation_id)
    each = view.secret_rotation
    authorize.require(tx, actor, action, scope_of(each.org_id, view.place, each.connection_id))
    return view


def lock_view(tx: Tx, actor: Actor, action: Action, secret_rotation_id: str) -> tuple[SecretRotationView, Rotation]:
    """As :func:`get_view`, with the rotation of its application, which nobody else changes until the transaction ends."""
    before = get_view(tx, actor, action, secret_rotation_id)
    rotation = policies.get(tx, before.rotation.id, lock=True)
    view = get_view(tx, actor, action, secret_rotation_id)  # it may have ended or moved meanwhile
    if rotation is None:
        raise missing(secret_rotation_id)
    return view, rotation


def require_for_all(
    tx: Tx, actor: Actor, action: Action, sharing: Sequence[SecretRotationView], *, fix: str, field: str | None = None
) -> None:
    """Return when the actor may do this with all that share the rotation of an application. Raises Refused."""
    if not all(is_allowed_on(tx, actor, action, each) for each in sharing):
        raise Refused(
            "The application's secret is published elsewhere, too, through the same connection, and you may not change that.",
            code="rotation.shared_without_permission",
            fix=fix,
            field=field,
        )


def seen_among(tx: Tx, actor: Actor, refs: Sequence[SecretRotationRef]) -> Sequence[SecretRotationRef]:
    """Return those of these secret rotations of the actor's organization that they may see: one statement, or none."""
    scopes = [scope_of(actor.org_id, ref.place, ref.connection_id) for ref in refs]
    visible = authorize.allowed_of(tx, actor, Action.READ_ROTATIONS, scopes)
    return [ref for ref, may_see in zip(refs, visible, strict=True) if may_see]


def connection_to_use(tx: Tx, actor: Actor, connection_id: str, *project_ids: str) -> Connection:
    """Return a connection by which the actor may have applications rotated for these projects.

    Raises NotFound, Forbidden, or Refused for a connection of another project.
    """
    connection = connection_for(tx, actor, connection_id, Action.CONNECT_CONNECTIONS)
    if connection.project_id is not None and set(project_ids) != {connection.project_id}:
        raise Refused(
            f"The connection '{connection.name}' belongs to another project.",
            code="rotation.connection_of_other_project",
            fix="Use a connection of this project or of the organization.",
            field="connectionId",
        )
    return connection


def changed_meanwhile() -> Refused:
    return Refused(
        "The secret rotation was changed by somebody else meanwhile.",
        code="secret_rotations.changed_meanwhile",
        fix="Load the secret rotation again and repeat it.",
    )


def missing(secret_rotation_id: str) -> NotFound:
    return NotFound(
        f"There is no secret rotation '{secret_rotation_id}'.",
        code="secret_rotations.not_found",
        fix="GET /api/v2/secret-rotations?projectId={id} lists those of a project that you may see, as its page does.",
    )
