"""Who may do what where: the way from what a caller names to a place, and the one look at permissions on it."""

from collections.abc import Sized
from dataclasses import replace

from keyturn.authz.authorize import Grants, Scope, grants_of, is_allowed, no_project, require, require_in
from keyturn.authz.domain import Action
from keyturn.db.unit import Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.projects import store as projects
from keyturn.projects.domain import Environment, no_environment
from keyturn.secrets.domain import (
    ROOT,
    Address,
    Folder,
    Place,
    StoredSecret,
    clean_path,
    no_folder,
    no_secret,
    owner_of,
)
from keyturn.secrets.store import folders, secrets


def locate(tx: Tx, actor: Actor, action: Action, address: Address, connection_id: str | None = None) -> Place:
    """Return the place, when the actor may do this there, with the connection that it is about.

    Raises Refused when project or environment is not named, NotFound when it is not there, and Forbidden. Whether a place is
    there is told to nobody who may not do this at such an address.
    """
    place, grants, scope = _asked(tx, actor, address)
    require_in(grants, actor, action, replace(scope, connection_id=connection_id))
    return _there(tx, actor, place)


def locate_above(tx: Tx, actor: Actor, action: Action, address: Address) -> tuple[Place, Grants]:
    """As :func:`locate`, for a list of what is below the place: the actor may do this there, or maybe somewhere below.

    The list shows what the grants permit; where that is nothing, :func:`require_some` refuses the place itself.
    """
    place, grants, scope = _asked(tx, actor, address)
    if not grants.anywhere(action, place.environment):
        require_in(grants, actor, action, scope)
    return _there(tx, actor, place), grants


def require_some(grants: Grants, actor: Actor, action: Action, place: Place, shown: Sized) -> None:
    """Raise Forbidden when a list from below the place shows nothing, and the actor may not do this at the place itself."""
    if not shown:
        require_in(grants, actor, action, scope_of(actor, place))


def require_there(tx: Tx, actor: Actor, action: Action, place: Place) -> None:
    """Return when the actor may do this at the place. Raises Forbidden."""
    require(tx, actor, action, scope_of(actor, place))


def may_see_rotation(tx: Tx, actor: Actor, place: Place, connection_id: str) -> bool:
    """Say whether the actor may know of a secret rotation at the place, through this connection."""
    return is_allowed(tx, actor, Action.READ_ROTATIONS, replace(scope_of(actor, place), connection_id=connection_id))


def scope_of(actor: Actor, place: Place) -> Scope:
    return Scope(actor.org_id, place.project_id, place.environment, place.path)


def environment(tx: Tx, actor: Actor, project_id: str, environment_id: str) -> Environment:
    """Return the environment of the project with this id. Raises NotFound."""
    project = projects.project(tx, actor.org_id, project_id)
    for each in project.environments if project else ():
        if each.id == environment_id:
            return each
    raise no_environment(environment_id)


def may_read_values(tx: Tx, actor: Actor, place: Place) -> bool:
    return is_allowed(tx, actor, Action.READ_SECRET_VALUES, scope_of(actor, place))


def folder_at(tx: Tx, place: Place) -> Folder | None:
    """Return the folder at the place; None for a root that was not written to yet. Raises NotFound for any other."""
    folder = folders.at(tx, place.environment_id, place.path)
    if folder is None and place.path != ROOT:
        raise no_folder(place.path)
    return folder


def look(tx: Tx, place: Place, name: str, owner_id: str | None) -> StoredSecret | None:
    """Return the secret of this name at the place, if it is there. Raises NotFound for a folder that is not."""
    folder = folder_at(tx, place)
    return secrets.one(tx, folder.id, name, owner_id) if folder else None


def find_secret(tx: Tx, place: Place, name: str, owner_id: str | None) -> StoredSecret:
    """Return the secret of this name at the place. Raises NotFound."""
    secret = look(tx, place, name, owner_id)
    if secret is None:
        raise no_secret(name)
    return secret


def found_by_id(tx: Tx, actor: Actor, action: Action, secret_id: str) -> tuple[StoredSecret, Place]:
    """Return a secret by its id and where it is, when the actor may do this there.

    Raises Forbidden, and NotFound, for another's personal one as well.
    """
    pair = secrets.by_id(tx, actor.org_id, secret_id)
    if pair is None or pair[0].owner_id not in {None, owner_of(actor)}:
        raise NotFound(
            f"There is no secret '{secret_id}'.",
            code="secrets.not_found",
            fix="List the secrets of the folder to see which there are, and look at environment, path and name.",
        )
    require_there(tx, actor, action, pair[1])
    return pair


def at_version(tx: Tx, secret: StoredSecret, number: int) -> StoredSecret:
    """Return the secret with the version of this number. Raises NotFound."""
    if number == secret.version:
        return secret
    older = secrets.version_of(tx, secret.id, number)
    if older is None:
        raise NotFound(
            f"The secret '{secret.name}' has no version {number}.",
            code="secrets.version_not_found",
            fix=f"Its newest is {secret.version}.",
        )
    return older


def _asked(tx: Tx, actor: Actor, address: Address) -> tuple[Place, Grants, Scope]:
    """Return the place that a caller names, which need not be there, and what they may do in its project."""
    if not address.environment:
        raise Refused(
            "Say which environment.", code="secrets.no_environment", fix="Send its slug as environment, e.g. prod."
        )
    place = Place(project_id_of(tx, actor, address), "", address.environment, "", clean_path(address.path or ROOT))
    scope = scope_of(actor, place)
    return place, grants_of(tx, actor, scope), scope


def _there(tx: Tx, actor: Actor, place: Place) -> Place:
    environment = projects.environment_named(tx, actor.org_id, place.project_id, place.environment)
    if environment is None:
        raise no_environment(place.environment)
    return replace(place, environment_id=environment.id, environment_name=environment.name)


def project_id_of(tx: Tx, actor: Actor, address: Address) -> str:
    """Return the id of the project that a caller names, which need not be one that they may see. Raises Refused, NotFound."""
    if address.project_id:
        return address.project_id
    if not address.project_slug:
        raise Refused("Say which project.", code="secrets.no_project", fix="Send its id as projectId or workspaceId.")
    project = projects.project_by_slug(tx, actor.org_id, address.project_slug)
    if project is None:
        raise no_project(address.project_slug)
    return project.id
