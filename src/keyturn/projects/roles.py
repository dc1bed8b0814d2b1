"""The use cases of roles that a project makes itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from keyturn.audit import project_events as events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, grantable, is_allowed, require
from keyturn.authz.domain import PROJECT_ROLES, Action
from keyturn.authz.permissions import Grants, Rules, of_role
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.counting import counted
from keyturn.ports.clock import Clock, Ids
from keyturn.projects import role_store as store
from keyturn.projects.role_domain import (
    BUILT_IN,
    MOST_ROLES,
    RESERVED_ROLE_SLUGS,
    NewRole,
    ProjectRole,
    RoleChange,
    built_in,
    no_role,
    require_given,
)
from keyturn.projects.store import lock_project, project_by_slug

MOST_NAMED = 5
"""Holders of a role whom a refusal names."""


class Roles:
    """The use cases. Nobody makes or changes a role that permits more than they may; changes are audited."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    def list(self, actor: Actor, project_id: str) -> Sequence[ProjectRole]:
        """Return the roles of a project: the built-in ones, then its own by name."""
        with self._database.read() as tx:
            require(tx, actor, Action.READ_ROLES, Scope(actor.org_id, project_id))
            return [*built_in(project_id), *store.of_project(tx, project_id)]

    def by_slug(self, actor: Actor, project_id: str, slug: str) -> ProjectRole:
        with self._database.read() as tx:
            require(tx, actor, Action.READ_ROLES, Scope(actor.org_id, project_id))
            return role_of_slug(tx, project_id, slug)

    def get(self, actor: Actor, project_id: str, role_id: str) -> ProjectRole:
        """Return the role by its id, which is its slug for a built-in one."""
        with self._database.read() as tx:
            require(tx, actor, Action.READ_ROLES, Scope(actor.org_id, project_id))
            if role_id in BUILT_IN:
                return role_of_slug(tx, project_id, role_id)
            return _found(store.by_id(tx, project_id, role_id), role_id)

    def find(self, actor: Actor, role_id: str) -> ProjectRole:
        """Return the role by its id, in whichever project of the organization it is."""
        with self._database.read() as tx:
            project_id = store.project_of(tx, actor.org_id, role_id)
            if project_id is None:
                raise NotFound(
                    f"There is no role '{role_id}'.",
                    code="roles.not_found",
                    fix="GET /api/v1/projects/{id}/roles lists the roles of a project.",
                )
            require(tx, actor, Action.READ_ROLES, Scope(actor.org_id, project_id))
            return _found(store.by_id(tx, project_id, role_id), role_id)

    def create(self, actor: Actor, project_id: str, new: NewRole) -> ProjectRole:
        """Add a role. Raises Refused for a slug in use and for permissions that are none, Forbidden for too much."""
        now = self._clock.now()
        role = ProjectRole(self._ids.new(), project_id, new.slug, new.name, new.description, new.permissions, now, now)
        with self._database.write() as tx:
            self._begin(tx, actor, Action.CREATE_ROLES, project_id)
            there = store.of_project(tx, project_id)
            if len(there) >= MOST_ROLES:
                raise Refused(
                    f"This project has {MOST_ROLES} roles of its own, as many as one may have.",
                    code="roles.too_many",
                    fix="Delete what nobody needs.",
                )
            _require_free(there, role)
            require_given(grantable(tx, actor, project_id, None), role)
            store.add(tx, role)
            _note(tx, actor, events.ROLE_CREATED, role, now)
        return role

    def update(self, actor: Actor, project_id: str, role_id: str, change: RoleChange) -> ProjectRole:
        """Change what is given. Whoever has the role has it as it is then, at once. The same again changes nothing.

        Raises as :meth:`create`, and Refused for a built-in role, or when nobody in the project could manage roles any more.
        """
        with self._database.write() as tx:
            self._begin(tx, actor, Action.EDIT_ROLES, project_id)
            before = _own(store.by_id(tx, project_id, role_id), role_id)
            after = replace(
                before,
                slug=before.slug if change.slug is None else change.slug,
                name=before.name if change.name is None else change.name,
                description=before.description if change.description is None else change.description,
                permissions=before.permissions if change.permissions is None else change.permissions,
                fault=before.fault if change.permissions is None else "",
            )
            own = grantable(tx, actor, project_id, None)
            for role in (before, after):
                require_given(own, role)
            if after == before:
                return before
            after = replace(after, updated_at=self._clock.now())
            there = store.of_project(tx, project_id)
            _require_free([role for role in there if role.id != role_id], after)
            _require_manager_left(tx, project_id, there, after)
            store.save(tx, after)
            _note(tx, actor, events.ROLE_UPDATED, after, after.updated_at)
        return after

    def delete(self, actor: Actor, project_id: str, role_id: str) -> ProjectRole:
        """Remove a role. Raises Refused while somebody has it."""
        now = self._clock.now()
        with self._database.write() as tx:
            self._begin(tx, actor, Action.DELETE_ROLES, project_id)
            role = _own(store.by_id(tx, project_id, role_id), role_id)
            require_given(grantable(tx, actor, project_id, None), role)
            names = store.holders(tx, role.id, now)
            if names:
                scope = Scope(actor.org_id, project_id)
                seen = all(
                    is_allowed(tx, actor, action, scope)
                    for action in (Action.READ_MEMBERS, Action.READ_IDENTITY_MEMBERS)
                )
                raise _in_use(role, names, named=seen)
            store.remove(tx, role.id, now)
            _note(tx, actor, events.ROLE_DELETED, role, now)
        return role

    def project_id(self, actor: Actor, id_or_slug: str) -> str:
        """Return the id of a project that a client names by its id or by its slug: an id is returned as it is."""
        with self._database.read() as tx:
            project = project_by_slug(tx, actor.org_id, id_or_slug)
        return project.id if project else id_or_slug

    def _begin(self, tx: Tx, actor: Actor, action: Action, project_id: str) -> None:
        require(tx, actor, action, Scope(actor.org_id, project_id))
        lock_project(tx, project_id)


def role_of_slug(tx: Tx, project_id: str, slug: str) -> ProjectRole:
    """Return the role with this slug, a built-in one or one of the project's own. Raises NotFound."""
    if slug in BUILT_IN:
        return next(role for role in built_in(project_id) if role.slug == slug)
    return _found(store.by_slug(tx, project_id, slug), slug)


def _require_free(there: Sequence[ProjectRole], role: ProjectRole) -> None:
    if role.slug in RESERVED_ROLE_SLUGS:
        raise Refused(
            f"The slug '{role.slug}' is that of a built-in role.",
            code="roles.slug_reserved",
            field="slug",
            fix="Choose another.",
        )
    if any(each.slug == role.slug for each in there):
        raise Refused(
            f"There is a role with the slug '{role.slug}' in this project already.",
            code="roles.slug_taken",
            field="slug",
            fix="Choose another, or change that role.",
        )


def _require_manager_left(tx: Tx, project_id: str, there: Sequence[ProjectRole], after: ProjectRole) -> None:
    """Raise Refused for a change after which no member could manage roles, where one can before it."""
    members = store.lasting(tx, project_id).values()
    before = {role.id: role.rules for role in there}
    if _any_manager(members, before) and not _any_manager(members, before | {after.id: after.rules}):
        raise Refused(
            f"Without what the role '{after.slug}' permits, nobody in this project could manage its roles and members.",
            code="roles.last_manager",
            fix="Give somebody the role 'admin' first.",
        )


def _any_manager(members: Any, own: Mapping[str, Rules]) -> bool:
    roles = {role.value: of_role(actions) for role, actions in PROJECT_ROLES.items()}
    grants = (
        Grants(tuple(own.get(role_id, ()) if role_id else roles.get(role or "", ()) for role, role_id in each))
        for each in members
    )
    return any(each.everywhere(Action.EDIT_ROLES) and each.everywhere(Action.EDIT_MEMBERS) for each in grants)


def _own(role: ProjectRole | None, role_id: str) -> ProjectRole:
    if role_id in BUILT_IN:
        raise Refused(
            f"'{role_id}' is a built-in role: it stays as it is.",
            code="roles.built_in",
            fix="Make a role of the project's own.",
        )
    return _found(role, role_id)


def _found(role: ProjectRole | None, id_or_slug: str) -> ProjectRole:
    if role is None:
        raise no_role(id_or_slug)
    return role


def _in_use(role: ProjectRole, names: Sequence[str], *, named: bool) -> Refused:
    count = counted(len(names), "member has", "members have")
    more = len(names) - MOST_NAMED
    listed = ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return Refused(
        f"{count} the role '{role.slug}'{f': {listed}' if named else ''}.",
        code="roles.in_use",
        fix="Give them another role first.",
    )


def _note(tx: Tx, actor: Actor, event: AuditEvent, role: ProjectRole, now: datetime) -> None:
    subject = Subject(SubjectKind.ROLE, role.id, role.project_id)
    record(tx, actor, event, subject, now, slug=role.slug, name=role.name, numberOfPermissions=len(role.permissions))
