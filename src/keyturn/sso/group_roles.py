"""What administrators decide about people of Entra ID: which groups have which roles, and who is linked to which user."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy.exc

from keyturn.audit import sso_events as events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action, require_at_most
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.organizations import store as organization_store
from keyturn.people import external_store, leaving, list_store
from keyturn.people import store as people_store
from keyturn.people.domain import ExternalIdentity, User
from keyturn.ports.clock import Clock, Ids
from keyturn.projects.roles import role_of_slug
from keyturn.sso import rights, store
from keyturn.sso.domain import GroupRole, NewGroupRole

MOST = 1000
"""Roles of groups in one organization."""


@dataclass(frozen=True)
class LinkedUser:
    """A user and the object id of who signs in as them; None: nobody."""

    user: User
    object_id: str | None
    since: datetime | None = None
    second_factor: bool = False

    @property
    def break_glass(self) -> bool:
        """Whether they can sign in as an administrator while Entra ID vouches for nobody."""
        return self.user.role is Role.ADMIN and bool(self.user.password_hash) and self.user.disabled_at is None


class GroupRoles:
    """The use cases. All need the permission to manage users; changes are audited. ``tenant_id`` None: nobody signs in so."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, tenant_id: str | None) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._tenant_id = tenant_id

    def list(self, actor: Actor) -> Sequence[GroupRole]:
        """Return all roles of groups, by the group's name."""
        with self._database.read() as tx:
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            return store.of_organization(tx, actor.org_id)

    def add(self, actor: Actor, new: NewGroupRole) -> GroupRole:
        """Give the members of a group a role, from their next sign-in on.

        Raises Refused for a role that there is none of, one that the group has, and too many; Forbidden for one above the
        caller's; NotFound for a project that there is none of.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            organization_store.organization(tx, actor.org_id, lock=True)
            role_id = self._role_id(tx, actor, new)
            rows = store.of_organization(tx, actor.org_id)
            if len(rows) >= MOST:
                raise Refused(
                    f"Groups have {MOST} roles already, as many as there may be.",
                    code="sso.group_roles_full",
                    fix="Take a role from a group first, or give one group the role of several.",
                )
            group_id = new.group_id.lower()
            if any((row.group_id, row.project_id, row.role) == (group_id, new.project_id, new.role) for row in rows):
                raise Refused(
                    "This group has this role already.",
                    code="sso.group_role_exists",
                    field="groupId",
                    fix="Choose another role, or leave it as it is.",
                )
            row = GroupRole(
                *(self._ids.new(), actor.org_id, group_id, new.group_name, new.project_id, new.role, role_id, now)
            )
            store.add(tx, row)
            _note(tx, actor, events.GROUP_ROLE_ADDED, row, now)
        return row

    def remove(self, actor: Actor, row_id: str) -> GroupRole:
        """Take a role from a group: who has it by that alone loses it at the next sign-in. Raises NotFound."""
        with self._database.write() as tx:
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            row = next((each for each in store.of_organization(tx, actor.org_id) if each.id == row_id), None)
            if row is None:
                raise NotFound(
                    f"There is no role of a group '{row_id}'.",
                    code="sso.group_role_not_found",
                    fix="GET /api/v1/group-roles lists them.",
                )
            store.remove(tx, row.id)
            _note(tx, actor, events.GROUP_ROLE_REMOVED, row, self._clock.now())
        return row

    def users(self, actor: Actor, most: int) -> tuple[Sequence[LinkedUser], int]:
        """Return who can sign in while Entra ID vouches for nobody, then the first whom it vouches for, each by address.

        And how many more there are of these.
        """
        with self._database.read() as tx:
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            first = list_store.break_glass(tx, actor.org_id)
            others, total = list_store.known_to(tx, actor.org_id, self._tenant_id or "", max(0, most - len(first)))
            ids = [user.id for user in (*first, *others)]
            links = external_store.of_users(tx, ids)
            holders = people_store.second_factor_holders_among(tx, ids)
        found = []
        for user in (*first, *others):
            own = next((each for each in links.get(user.id, ()) if each.issuer == self._tenant_id), None)
            subject, since = (own.subject, own.created_at) if own else (None, None)
            found.append(LinkedUser(user, subject, since, user.id in holders))
        return found, total - len(others)

    def user_id(self, actor: Actor, email: str) -> str | None:
        """Return the id of the user with this address; None: there is none."""
        with self._database.read() as tx:
            require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
            return people_store.id_of_address(tx, actor.org_id, email.lower())

    def link(self, actor: Actor, user_id: str, object_id: str) -> User:
        """Let the person with this object id sign in as the user. Repeatable; another link of the user's ends.

        Raises NotFound, Forbidden for a user above the caller's role, Refused for a person who signs in as another user.
        """
        now, object_id = self._clock.now(), object_id.lower()
        with self._database.write() as tx:
            user, tenant_id = leaving.managed_user(tx, actor, user_id), self._tenant()
            holder = external_store.user_id_of(tx, tenant_id, object_id)
            if holder == user.id:
                return user
            if holder is not None:
                raise _link_taken()
            try:
                external_store.link(tx, ExternalIdentity(self._ids.new(), user.id, tenant_id, object_id, now))
            except sqlalchemy.exc.IntegrityError as error:  # another server linked the same person just now
                raise _link_taken() from error
            facts = {"email": user.email, "tenantId": tenant_id, "objectId": object_id}
            record(tx, actor, events.USER_LINKED, leaving.subject(user), now, **facts)
        return user

    def unlink(self, actor: Actor, user_id: str) -> User:
        """Let nobody of Entra ID sign in as the user any more; their sessions and access tokens end. Repeatable.

        Raises NotFound, Forbidden for a user above the caller's role.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            user, tenant_id = leaving.managed_user(tx, actor, user_id), self._tenant()
            links = [each for each in external_store.of_user(tx, user.id) if each.issuer == tenant_id]
            if links and external_store.unlink(tx, user.id, tenant_id):
                rights.end_access(tx, user, now)
                facts = {"email": user.email, "tenantId": tenant_id, "objectId": links[0].subject}
                record(tx, actor, events.USER_UNLINKED, leaving.subject(user), now, **facts)
        return user

    def _role_id(self, tx: Tx, actor: Actor, new: NewGroupRole) -> str | None:
        """Return the id of the project's own role that is meant, None for a built-in one."""
        if new.project_id is None:
            if new.role not in set(Role):
                raise _no_such_role(new.role, f"Name one of: {', '.join(Role)}.")
            require_at_most(actor.role, Role(new.role))
            return None
        require(tx, actor, Action.EDIT_MEMBERS, Scope(actor.org_id, new.project_id))
        try:
            role = role_of_slug(tx, new.project_id, new.role)
        except NotFound:
            fix = "Name a built-in role (admin, member, viewer, no-access) or one of the project's own by its slug."
            raise _no_such_role(new.role, fix) from None
        return None if role.built_in else role.id

    def _tenant(self) -> str:
        if self._tenant_id is None:
            raise Refused(
                "Nobody signs in to this server through Entra ID.",
                code="sso.off",
                fix="An operator sets KEYTURN_SSO_TENANT_ID and the settings that go with it.",
            )
        return self._tenant_id


def _note(tx: Tx, actor: Actor, event: AuditEvent, row: GroupRole, now: datetime) -> None:
    subject = Subject(SubjectKind.ORGANIZATION, row.org_id)
    facts = {"groupId": row.group_id, "groupName": row.group_name, "projectId": row.project_id, "role": row.role}
    record(tx, actor, event, subject, now, **facts)


def _no_such_role(role: str, fix: str) -> Refused:
    return Refused(f"There is no role '{role}'.", code="sso.role_unknown", fix=fix, field="role")


def _link_taken() -> Refused:
    return Refused(
        "The person with this object id signs in as another user.",
        code="sso.link_taken",
        field="objectId",
        fix="End that link first, or delete that user if they were made by mistake at the first sign-in.",
    )
