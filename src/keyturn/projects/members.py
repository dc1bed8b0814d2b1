"""Who works in a project: machine identities and people, each with one role."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, require, role_at
from keyturn.authz.domain import Action, require_at_most
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.identities import store as identity_store
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.people import store as people_store
from keyturn.ports.clock import Clock, Ids
from keyturn.projects import store
from keyturn.projects.domain import Member

_READ = {ActorKind.USER: Action.READ_MEMBERS, ActorKind.IDENTITY: Action.READ_IDENTITY_MEMBERS}
_ADD = {ActorKind.USER: Action.ADD_MEMBERS, ActorKind.IDENTITY: Action.ADD_IDENTITY_MEMBERS}
_EDIT = {ActorKind.USER: Action.EDIT_MEMBERS, ActorKind.IDENTITY: Action.EDIT_IDENTITY_MEMBERS}
_REMOVE = {ActorKind.USER: Action.REMOVE_MEMBERS, ActorKind.IDENTITY: Action.REMOVE_IDENTITY_MEMBERS}


class Members:
    """The use cases. Nobody gives, changes or takes away a role above their own in the project; all is audited."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    def list(self, actor: Actor, project_id: str, kind: ActorKind) -> Sequence[Member]:
        """Return the members of one kind, oldest first."""
        with self._database.read() as tx:
            require(tx, actor, _READ[kind], Scope(actor.org_id, project_id))
            return store.members(tx, project_id, kind)

    def get(self, actor: Actor, project_id: str, kind: ActorKind, member_id: str) -> Member:
        """Return the member by the id of the identity or user."""
        with self._database.read() as tx:
            require(tx, actor, _READ[kind], Scope(actor.org_id, project_id))
            return _found(store.member(tx, project_id, kind, member_id), member_id)

    def membership(self, actor: Actor, row_id: str) -> Member:
        """Return the membership of a machine identity by its id, in whichever project of the organization it is."""
        with self._database.read() as tx:
            project_id = store.project_of_member(tx, actor.org_id, row_id)
            if project_id is None:
                raise NotFound(f"There is no membership '{row_id}'.", code="projects.member_not_found")
            require(tx, actor, _READ[ActorKind.IDENTITY], Scope(actor.org_id, project_id))
            member = _found(store.member_row(tx, project_id, row_id), row_id)
        if member.kind is not ActorKind.IDENTITY:
            raise NotFound(f"There is no membership '{row_id}' of an identity.", code="projects.member_not_found")
        return member

    def get_by_row(self, actor: Actor, project_id: str, row_id: str) -> Member:
        """Return the member by the id of the membership."""
        with self._database.read() as tx:
            member = store.member_row(tx, project_id, row_id)
            kind = member.kind if member else ActorKind.USER
            require(tx, actor, _READ[kind], Scope(actor.org_id, project_id))
            return _found(member, row_id)

    def add_identity(self, actor: Actor, project_id: str, identity_id: str, role: Role) -> Member:
        """Let a machine identity of the organization work in the project. Raises Refused when it does already."""
        with self._database.write() as tx:
            own = self._manager(tx, actor, project_id, _ADD[ActorKind.IDENTITY])
            if identity_store.identity(tx, actor.org_id, identity_id) is None:
                raise NotFound(f"There is no identity '{identity_id}'.", code="access.identity_not_found")
            return self._add(tx, actor, project_id, ActorKind.IDENTITY, identity_id, role, own)

    def add_people(self, actor: Actor, project_id: str, emails: Sequence[str], role: Role) -> Sequence[Member]:
        """Let users of the organization work in the project: all of them or, when one cannot, none."""
        with self._database.write() as tx:
            own = self._manager(tx, actor, project_id, _ADD[ActorKind.USER])
            people = [_user_id(tx, actor, email) for email in dict.fromkeys(emails)]
            return [self._add(tx, actor, project_id, ActorKind.USER, user_id, role, own) for user_id in people]

    def person(self, actor: Actor, project_id: str, email: str) -> Member:
        """Return the member with this e-mail address."""
        with self._database.read() as tx:
            require(tx, actor, _READ[ActorKind.USER], Scope(actor.org_id, project_id))
            return _found(store.member(tx, project_id, ActorKind.USER, _user_id(tx, actor, email)), email)

    def change_role(self, actor: Actor, project_id: str, row_id: str, role: Role) -> Member:
        """Give a member, named by the id of the membership, another role."""
        with self._database.write() as tx:
            own, (before,) = self._managed(tx, actor, project_id, [row_id], _EDIT)
            require_at_most(own, before.role)
            require_at_most(own, _of_projects(role))
            now = self._clock.now()
            store.set_member_role(tx, before.id, role, now)
            facts = {"before": before.role.value, "role": role.value}
            _record(tx, actor, events.MEMBER_ROLE_CHANGED, before, now, **facts)
        return replace(before, role=role, updated_at=now)

    def remove(self, actor: Actor, project_id: str, row_ids: Sequence[str]) -> Sequence[Member]:
        """Take members, named by the ids of their memberships, out of the project: all of them or none."""
        with self._database.write() as tx:
            own, members = self._managed(tx, actor, project_id, row_ids, _REMOVE)
            now = self._clock.now()
            for member in members:
                require_at_most(own, member.role)
                store.remove_member(tx, member.id)
                _record(tx, actor, events.MEMBER_REMOVED, member, now)
        return members

    def _managed(
        self, tx: Tx, actor: Actor, project_id: str, row_ids: Sequence[str], actions: Mapping[ActorKind, Action]
    ) -> tuple[Role, Sequence[Member]]:
        """Return the members with these ids on which the actor may do this."""
        rows = [(row_id, store.member_row(tx, project_id, row_id)) for row_id in dict.fromkeys(row_ids)]
        kinds = {member.kind if member else ActorKind.USER for _, member in rows}
        own = [self._manager(tx, actor, project_id, actions[kind]) for kind in sorted(kinds)]
        return own[0], [_found(member, row_id) for row_id, member in rows]

    def _manager(self, tx: Tx, actor: Actor, project_id: str, action: Action) -> Role:
        scope = Scope(actor.org_id, project_id)
        require(tx, actor, action, scope)
        store.lock_project(tx, project_id)
        return role_at(tx, actor, scope) or Role.VIEWER

    def _add(
        self, tx: Tx, actor: Actor, project_id: str, kind: ActorKind, member_id: str, role: Role, own: Role
    ) -> Member:
        require_at_most(own, _of_projects(role))
        there = store.member(tx, project_id, kind, member_id)
        if there is not None:
            raise Refused(
                f"'{there.name}' is a member of this project already.",
                code="projects.member_exists",
                fix="Change the role of the membership instead.",
            )
        now = self._clock.now()
        store.add_member(tx, self._ids.new(), project_id, kind, member_id, role, now)
        member = _found(store.member(tx, project_id, kind, member_id), member_id)
        _record(tx, actor, events.MEMBER_ADDED, member, now)
        return member


def _record(tx: Tx, actor: Actor, event: AuditEvent, member: Member, now: datetime, **facts: object) -> None:
    """Record an event of the member, with the project, the name, and the role unless another is given."""
    common = {"projectId": member.project_id, "name": member.name, "role": member.role.value}
    kind = SubjectKind.USER if member.kind is ActorKind.USER else SubjectKind.IDENTITY
    record(tx, actor, event, Subject(kind, member.member_id, member.project_id), now, **common | facts)


def _of_projects(role: Role) -> Role:
    if role is Role.NO_ACCESS:
        raise Refused(
            f"'{role}' is a role in the organization; in a project it would say nothing.",
            code="projects.role_unknown",
            fix="Give one of admin, member and viewer, or take the member out of the project.",
        )
    return role


def _user_id(tx: Tx, actor: Actor, email: str) -> str:
    user = people_store.user_by_email(tx, email.strip().lower())
    if user is None or user.org_id != actor.org_id:
        raise NotFound(f"There is no user '{email}'.", code="access.user_not_found", fix="Add the user first.")
    return user.id


def _found(member: Member | None, member_id: str) -> Member:
    if member is None:
        raise NotFound(f"There is no member '{member_id}' in this project.", code="projects.member_not_found")
    return member
