"""Who may do what with secret rotations: the one way to one of them, by id, for an actor, with a permission."""

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.db.unit import Tx
from keyturn.errors import NotFound
from keyturn.kit.actor import Actor
from keyturn.rotations.secret_domain import SecretRotationView
from keyturn.rotations.store import secret_rotations as store


def require(tx: Tx, actor: Actor, action: Action, project_id: str) -> None:
    """Return when the actor may do this in the project. Raises NotFound or Forbidden."""
    authorize.require(tx, actor, action, Scope(actor.org_id, project_id))


def found(tx: Tx, actor: Actor, action: Action, secret_rotation_id: str) -> SecretRotationView:
    """Return the secret rotation on which the actor may do this. Raises NotFound or Forbidden."""
    view = store.view(tx, secret_rotation_id)
    if view is None or view.secret_rotation.org_id != actor.org_id:
        raise NotFound(f"There is no secret rotation '{secret_rotation_id}'.", code="secret_rotations.not_found")
    require(tx, actor, action, view.secret_rotation.project_id)
    return view
