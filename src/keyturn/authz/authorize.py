"""Authorization: every use case calls this, in its own transaction, before it reads or changes anything.

An admin of the organization may everything in all its projects; everybody else acts in a project by membership.
Things of another organization do not exist: the answer is NotFound, so that their existence is not disclosed.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from keyturn.authz.domain import ORGANIZATION_ROLES, PROJECT_ACTIONS, PROJECT_ROLES, Action, least_role
from keyturn.authz.permissions import NOTHING, Grants, Scope, of_role
from keyturn.db import unread
from keyturn.db.tables.views import project_members, projects
from keyturn.db.unit import Tx
from keyturn.errors import Forbidden, NotFound
from keyturn.kit.actor import Actor, ActorKind, Role

__all__ = ["Grants", "Scope", "Visibility", "allowed", "granted", "require", "require_in", "role_at", "visible"]

_KNOWN_ROLES = tuple(role.value for role in PROJECT_ROLES if role is not Role.NO_ACCESS)
_OF_ORGANIZATION = {role: Grants((of_role(actions),)) for role, actions in ORGANIZATION_ROLES.items()}
_OF_PROJECT = {role: Grants((of_role(actions),)) for role, actions in PROJECT_ROLES.items()}
_ALL_OF_PROJECT = Grants((of_role(PROJECT_ACTIONS),))


@dataclass(frozen=True)
class Visibility:
    """What a list may show. ``projects`` is None when all projects of the organization are visible."""

    org_id: str
    organization: bool
    """Whether connections that belong to no project are readable."""
    projects: frozenset[str] | None

    def covers(self, scope: Scope) -> bool:
        """Say whether something that lives there may be shown."""
        if scope.org_id != self.org_id:
            return False
        if scope.project_id is None:
            return self.organization
        return self.projects is None or scope.project_id in self.projects


def granted(tx: Tx, actor: Actor, scope: Scope) -> Grants:
    """Return all that the actor may do in the project of the scope, or without one in the organization.

    Raises NotFound for another organization or an unknown project. Whoever asks about many things asks for this once.
    """
    if scope.project_id is None:
        if scope.org_id != actor.org_id:
            raise _missing(scope)
        return _OF_ORGANIZATION[actor.role]
    role = role_at(tx, actor, scope)
    if actor.role is Role.ADMIN:
        return _ALL_OF_PROJECT
    return NOTHING if role is None else _OF_PROJECT[role]


def require(tx: Tx, actor: Actor, action: Action, scope: Scope) -> None:
    """Return when the actor may do this there.

    Raises NotFound for another organization or an unknown project, Forbidden when the permission is missing: it names
    the permission and who can grant it.
    """
    require_in(granted(tx, actor, scope), actor, action, scope)


def require_in(grants: Grants, actor: Actor, action: Action, scope: Scope) -> None:
    """As :func:`require`, for one who has asked for the grants already."""
    if not grants.allow(action, scope):
        raise _refusal(actor, action, scope)


def allowed(tx: Tx, actor: Actor, action: Action, scope: Scope) -> bool:
    """Say whether :func:`require` would return: for buttons and optional parts of an answer."""
    try:
        return granted(tx, actor, scope).allow(action, scope)
    except NotFound:
        return False


def role_at(tx: Tx, actor: Actor, scope: Scope) -> Role | None:
    """Return the actor's effective role there, None without one. Raises NotFound as :func:`require` does."""
    if scope.org_id != actor.org_id:
        raise _missing(scope)
    if scope.project_id is None:
        return actor.role
    # The project is read even for an admin: an id given by a caller proves nothing about its organization.
    row = tx.one(
        sa.select(project_members.c.role)
        .select_from(
            projects.outerjoin(
                project_members, sa.and_(project_members.c.project_id == projects.c.id, _is_member(actor))
            )
        )
        .where(projects.c.id == scope.project_id, projects.c.org_id == actor.org_id)
    )
    if row is None:
        raise _missing(scope)
    if actor.role is Role.ADMIN:
        return Role.ADMIN
    return unread.word(row, "role", Role.NO_ACCESS, []) if row["role"] is not None else None


def visible(tx: Tx, actor: Actor) -> Visibility:
    """Return what the actor's lists may show."""
    organization = _OF_ORGANIZATION[actor.role].allow(Action.READ_CONNECTIONS, Scope(actor.org_id))
    if actor.role is Role.ADMIN:
        return Visibility(actor.org_id, organization, None)
    rows = tx.rows(
        sa.select(project_members.c.project_id)
        .join(projects, projects.c.id == project_members.c.project_id)
        .where(projects.c.org_id == actor.org_id, _is_member(actor), project_members.c.role.in_(_KNOWN_ROLES))
    )
    return Visibility(actor.org_id, organization, frozenset(row["project_id"] for row in rows))


def _is_member(actor: Actor) -> sa.ColumnElement[bool]:
    if actor.kind is ActorKind.USER:
        return project_members.c.user_id == actor.id
    return project_members.c.identity_id == actor.id


def _missing(scope: Scope) -> NotFound:
    if scope.project_id is None:
        return NotFound("There is no such organization.", code="access.organization_not_found")
    return NotFound(f"There is no project '{scope.project_id}'.", code="projects.not_found")


def _refusal(actor: Actor, action: Action, scope: Scope) -> Forbidden:
    if scope.project_id:
        table, where, who = PROJECT_ROLES, "in this project", "an admin of the project or of the organization"
    else:
        table, where, who = ORGANIZATION_ROLES, "in the organization", "an admin of the organization"
    return Forbidden(
        f"{actor.name} lacks the permission '{action}' {where}.",
        code="access.forbidden",
        fix=f"Ask {who} for the role '{least_role(table, action)}'.",
        details=[{"action": action.value, "inverted": False, "subject": action.subject, "conditions": {}}],
    )
