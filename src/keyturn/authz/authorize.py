"""Authorization: every use case calls this, in its own transaction, before it reads or changes anything.

An admin of the organization may everything in all its projects; everybody else acts in a project by the roles of their
membership there. Things of another organization do not exist: the answer is NotFound, so that their existence is not disclosed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.authz.compiled_roles import CompiledRoles
from keyturn.authz.domain import ORGANIZATION_ROLES, PROJECT_ACTIONS, PROJECT_ROLES, Action, least_role
from keyturn.authz.permissions import Grants, Rules, Scope, of_role
from keyturn.db.tables.views import (
    app_connections,
    identities,
    project_member_roles,
    project_members,
    project_roles,
    projects,
    users,
)
from keyturn.db.unit import Tx
from keyturn.errors import Forbidden, NotFound
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.batches import batches
from keyturn.kit.dataclasses import dataclass

__all__ = [
    "Extent",
    "Grants",
    "Scope",
    "Visibility",
    "actor_now",
    "extents_of",
    "grantable",
    "grants_of",
    "is_allowed",
    "projects_with",
    "require",
    "require_in",
    "visible",
    "visible_in",
]

_OF_ORGANIZATION = {role: Grants((of_role(actions),)) for role, actions in ORGANIZATION_ROLES.items()}
_BUILT_IN: Mapping[str, Rules] = {role.value: of_role(actions) for role, actions in PROJECT_ROLES.items()}
_COMPILED = CompiledRoles()
_ALL_OF_PROJECT = Grants((of_role(PROJECT_ACTIONS),))


@dataclass(frozen=True)
class Visibility:
    """What a list may show. ``projects`` is None when all projects of the organization are visible."""

    org_id: str
    organization: bool
    """Whether connections that belong to no project are readable."""
    projects: frozenset[str] | None
    """Projects in which all may be shown."""
    connections: frozenset[str] = frozenset()
    """Connections of other projects, for those who may read only some of a project."""

    def covers(self, scope: Scope) -> bool:
        """Say whether something that lives there may be shown."""
        if scope.org_id != self.org_id:
            return False
        if scope.project_id is None:
            return self.organization
        return self.projects is None or scope.project_id in self.projects or scope.connection_id in self.connections


@dataclass(frozen=True)
class Extent:
    """How far an action is permitted: on what belongs to no project, in all of these ``projects``, in places of others."""

    organization: bool
    projects: frozenset[str]
    partly: frozenset[str]


def actor_now(tx: Tx, kind: ActorKind, actor_id: str, now: datetime) -> Actor | None:
    """Return a person or a machine identity as they are now; None when they are gone or disabled."""
    if kind is ActorKind.USER:
        person = sa.select(users.c.email.label("name"), users.c.org_id, users.c.role)
        row = tx.one(person.where(users.c.id == actor_id, users.c.disabled_at.is_(None)))
    else:
        machine = sa.select(identities.c.name, identities.c.org_id, identities.c.role)
        row = tx.one(machine.where(identities.c.id == actor_id))
    return Actor(kind, actor_id, row["name"], row["org_id"], Role(row["role"]), at=now) if row else None


def grants_of(tx: Tx, actor: Actor, scope: Scope) -> Grants:
    """Return all that the actor may do in the project of the scope, or without one in the organization.

    Raises NotFound for another organization or an unknown project. Whoever asks about many things asks for this once.
    """
    if scope.org_id != actor.org_id:
        raise _missing(scope)
    if scope.project_id is None:
        return _OF_ORGANIZATION[actor.role]
    rows = _rows(tx, actor, scope)
    return _ALL_OF_PROJECT if actor.role is Role.ADMIN else _grants([row for row in rows if _holds(row, actor.at)])


def granted_to_each(tx: Tx, actors: Sequence[Actor], project_id: str) -> list[tuple[Grants, datetime | None]]:
    """Return what each of these actors may do in the project at their moment, and until when that holds by the clock alone.

    A project that is not there, or is another organization's, permits nothing. A few statements, however many they are.
    """
    org = tx.one(_ORG, project=project_id)
    rows: dict[tuple[ActorKind, str], list[Mapping[str, Any]]] = {}
    for kind, query in _OF_MANY.items():
        ids = [actor.id for actor in actors if actor.kind is kind and actor.id is not None]
        for part in batches(ids, _AT_ONCE):
            for row in tx.rows(query, project=project_id, actors=list(part)):
                rows.setdefault((kind, row["actor_id"]), []).append(row)
    rules: dict[str, Rules] = {}
    return [
        _held(actor, rows.get((actor.kind, actor.id or ""), []), rules)
        if org is not None and org["org_id"] == actor.org_id
        else (Grants(), None)
        for actor in actors
    ]


def _held(actor: Actor, rows: Sequence[Mapping[str, Any]], rules: dict[str, Rules]) -> tuple[Grants, datetime | None]:
    """``rules`` remembers what custom roles permit, by their ids: many actors have the same one."""
    if actor.role is Role.ADMIN:
        return _ALL_OF_PROJECT, None
    now = actor.at
    ends = [row[side] for row in rows for side in ("starts_at", "ends_at") if row["ends_at"] is not None]
    until = min((moment for moment in ends if now is not None and moment is not None and moment > now), default=None)
    holding = [row for row in rows if _holds(row, now)]
    for row in holding:
        if row["role_id"] is not None and row["role_id"] not in rules:
            rules[row["role_id"]] = _rules(row)
    return Grants(tuple(rules[row["role_id"]] if row["role_id"] else _rules(row) for row in holding)), until


def grantable(tx: Tx, actor: Actor, project_id: str, until: datetime | None) -> Grants:
    """Return what the actor may do in the project until a moment, or (None) for good: what they may give for so long."""
    rows = _rows(tx, actor, Scope(actor.org_id, project_id))
    if actor.role is Role.ADMIN:
        return _ALL_OF_PROJECT
    own = [row for row in rows if _holds(row, actor.at)]
    return _grants([row for row in own if row["ends_at"] is None or (until is not None and until <= row["ends_at"])])


def require(tx: Tx, actor: Actor, action: Action, scope: Scope) -> None:
    """Return when the actor may do this there.

    Raises NotFound for another organization or an unknown project, Forbidden when the permission is missing: it names
    the permission and who can grant it.
    """
    require_in(grants_of(tx, actor, scope), actor, action, scope)


def require_in(grants: Grants, actor: Actor, action: Action, scope: Scope) -> None:
    """As :func:`require`, for one who has asked for the grants already."""
    if not grants.allow(action, scope):
        raise _refusal(actor, action, scope)


def is_allowed(tx: Tx, actor: Actor, action: Action, scope: Scope) -> bool:
    """Say whether :func:`require` would return: for buttons and optional parts of an answer."""
    try:
        return grants_of(tx, actor, scope).allow(action, scope)
    except NotFound:
        return False


def allowed_of(tx: Tx, actor: Actor, action: Action, scopes: Sequence[Scope]) -> list[bool]:
    """Say for each of these places in projects of the actor's organization whether they may do this: one statement."""
    if actor.role is Role.ADMIN or not scopes:
        return [True] * len(scopes)
    grants = _of_all(tx, actor)
    return [grants.get(scope.project_id or "", Grants()).allow(action, scope) for scope in scopes]


def visible(tx: Tx, actor: Actor, action: Action = Action.READ_CONNECTIONS) -> Visibility:
    """Return which connections the actor's lists may show, or on which they may do something else."""
    organization = _OF_ORGANIZATION[actor.role].allow(action, Scope(actor.org_id))
    if actor.role is Role.ADMIN:
        return Visibility(actor.org_id, organization, None)
    grants = _of_all(tx, actor)
    whole = frozenset(project for project, each in grants.items() if each.everywhere(action))
    partly = {project: each for project, each in grants.items() if project not in whole}
    some = [project for project, each in partly.items() if each.anywhere(action)]
    connections = _connections(tx, actor, some, partly, action) if some else frozenset()
    return Visibility(actor.org_id, organization, whole, connections)


def visible_in(tx: Tx, actor: Actor, project_id: str, action: Action = Action.READ_CONNECTIONS) -> Visibility:
    """Return on which connections of one project the actor may do this. Raises as :func:`require` where it is none."""
    scope = Scope(actor.org_id, project_id)
    grants = grants_of(tx, actor, scope)
    if grants.everywhere(action):
        return Visibility(actor.org_id, organization=False, projects=frozenset({project_id}))
    if not grants.anywhere(action):
        require_in(grants, actor, action, scope)
    connections = _connections(tx, actor, [project_id], {project_id: grants}, action)
    return Visibility(actor.org_id, organization=False, projects=frozenset(), connections=connections)


def _connections(
    tx: Tx, actor: Actor, project_ids: Sequence[str], grants: Mapping[str, Grants], action: Action
) -> frozenset[str]:
    """Return the ids of those connections of these projects on which the grants in each permit this."""
    ids = sa.select(app_connections.c.id, app_connections.c.project_id)
    return frozenset(
        row["id"]
        for row in tx.rows(ids.where(app_connections.c.project_id.in_(project_ids)))
        if grants[row["project_id"]].allow(action, Scope(actor.org_id, row["project_id"], connection_id=row["id"]))
    )


def extents_of(tx: Tx, actor: Actor, actions: Iterable[Action]) -> dict[Action, Extent]:
    """Return how far each of these actions is permitted to somebody who is no administrator: one statement."""
    grants, organization = _of_all(tx, actor), _OF_ORGANIZATION[actor.role]
    return {
        action: Extent(
            organization.allow(action, Scope(actor.org_id)),
            frozenset(project for project, each in grants.items() if each.everywhere(action)),
            frozenset(
                project for project, each in grants.items() if each.anywhere(action) and not each.everywhere(action)
            ),
        )
        for action in actions
    }


def projects_with(tx: Tx, actor: Actor, action: Action, *, partly: bool = False) -> frozenset[str] | None:
    """Return the projects in all of which the actor may do this, or ``partly`` in some place; None: all of the organization."""
    if actor.role is Role.ADMIN:
        return None
    return frozenset(
        project
        for project, each in _of_all(tx, actor).items()
        if (each.anywhere(action) if partly else each.everywhere(action))
    )


# --- the roles of a membership ----------------------------------------------------------------------------------------

_ROLE = (
    project_members.c.id.label("member_id"),
    project_member_roles.c.role,
    project_member_roles.c.role_id,
    project_member_roles.c.starts_at,
    project_member_roles.c.ends_at,
    sa.cast(project_roles.c.permissions, sa.Text).label("permissions"),
)


def _roles(joined: sa.FromClause, *, of_project: bool) -> sa.Select[Any]:
    return (
        sa.select(projects.c.id.label("project_id"), *_ROLE)
        .select_from(
            joined.outerjoin(project_member_roles, project_member_roles.c.member_id == project_members.c.id).outerjoin(
                project_roles, project_roles.c.id == project_member_roles.c.role_id
            )
        )
        .where(
            projects.c.org_id == sa.bindparam("org"),
            *([projects.c.id == sa.bindparam("project")] if of_project else []),
        )
    )


_COLUMNS = {
    ActorKind.USER: project_members.c.user_id,
    ActorKind.IDENTITY: project_members.c.identity_id,
    ActorKind.PLATFORM: project_members.c.identity_id,
}
_IS_IN = {
    kind: sa.and_(project_members.c.project_id == projects.c.id, column == sa.bindparam("actor"))
    for kind, column in _COLUMNS.items()
}
_IN_PROJECT = {
    kind: _roles(projects.outerjoin(project_members, is_in), of_project=True) for kind, is_in in _IS_IN.items()
}
_IN_ALL = {kind: _roles(projects.join(project_members, is_in), of_project=False) for kind, is_in in _IS_IN.items()}


_ORG = sa.select(projects.c.org_id).where(projects.c.id == sa.bindparam("project"))
_OF_MANY = {
    kind: sa.select(column.label("actor_id"), *_ROLE)
    .select_from(
        project_members.outerjoin(
            project_member_roles, project_member_roles.c.member_id == project_members.c.id
        ).outerjoin(project_roles, project_roles.c.id == project_member_roles.c.role_id)
    )
    .where(project_members.c.project_id == sa.bindparam("project"), column.in_(sa.bindparam("actors", expanding=True)))
    .order_by(project_member_roles.c.role, project_member_roles.c.role_id)
    for kind, column in _COLUMNS.items()
    if kind is not ActorKind.PLATFORM
}
_AT_ONCE = 500


def _of_all(tx: Tx, actor: Actor) -> dict[str, Grants]:
    """Return what the actor may do in each project that they are a member of, by its id."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in tx.rows(_IN_ALL[actor.kind], actor=actor.id, org=actor.org_id):
        rows.setdefault(row["project_id"], []).append(row)
    return {project: _grants([row for row in each if _holds(row, actor.at)]) for project, each in rows.items()}


def _rows(tx: Tx, actor: Actor, scope: Scope) -> Sequence[Mapping[str, Any]]:
    """Return the roles of the actor in the project, one empty row at least. Raises NotFound."""
    # The project is read even for an admin: an id given by a caller proves nothing about its organization.
    rows = tx.rows(_IN_PROJECT[actor.kind], actor=actor.id, org=actor.org_id, project=scope.project_id)
    if not rows:
        raise _missing(scope)
    return rows


def _grants(rows: Sequence[Mapping[str, Any]]) -> Grants:
    return Grants(tuple(_rules(row) for row in rows))


def _holds(row: Mapping[str, Any], now: datetime | None) -> bool:
    """Say whether the role counts now. One whose times make no sense does not."""
    if row["ends_at"] is None:
        return True
    return now is not None and row["starts_at"] is not None and row["starts_at"] <= now < row["ends_at"]


def _rules(row: Mapping[str, Any]) -> Rules:
    if row["role_id"] is None:
        return _BUILT_IN.get(row["role"], ())
    return _COMPILED.rules(row["permissions"])


def no_project(id_or_slug: str | None) -> NotFound:
    """Build the refusal of a project that is not there, or of another organization."""
    return NotFound(
        f"There is no project '{id_or_slug}'.",
        code="projects.not_found",
        fix="GET /api/v1/projects lists those that you may see, as the page Projects does.",
    )


def _missing(scope: Scope) -> NotFound:
    if scope.project_id is None:
        return NotFound(
            "There is no such organization.",
            code="access.organization_not_found",
            fix="Leave the organization out: the caller has one. GET /api/v1/identities/details shows it.",
        )
    return no_project(scope.project_id)


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
