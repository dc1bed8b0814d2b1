"""Who works in a project: machine identities and people, each with roles that add up, for good or for a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from keyturn.audit import project_events as events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, grantable, projects_with, require
from keyturn.authz.domain import Action
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.identities import store as identity_store
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.moments import shift
from keyturn.people import store as people_store
from keyturn.ports.clock import Clock, Ids
from keyturn.projects import member_store as store
from keyturn.projects.domain import GivenRole, Member, MemberRole, ProjectRef
from keyturn.projects.role_domain import MOST_OF_MEMBER, period, require_given
from keyturn.projects.roles import role_of_slug
from keyturn.projects.store import lock_project
from keyturn.projects.store import refs as project_refs

_LISTED = "GET /api/v1/projects/{id}/memberships lists people, .../identity-memberships machine identities, with membership ids."
_READ = {ActorKind.USER: Action.READ_MEMBERS, ActorKind.IDENTITY: Action.READ_IDENTITY_MEMBERS}
_ADD = {ActorKind.USER: Action.ADD_MEMBERS, ActorKind.IDENTITY: Action.ADD_IDENTITY_MEMBERS}
_EDIT = {ActorKind.USER: Action.EDIT_MEMBERS, ActorKind.IDENTITY: Action.EDIT_IDENTITY_MEMBERS}
_REMOVE = {ActorKind.USER: Action.REMOVE_MEMBERS, ActorKind.IDENTITY: Action.REMOVE_IDENTITY_MEMBERS}


class Members:
    """The use cases. Nobody gives, changes or takes away what they may not do themselves in the project; all is audited."""

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
                raise NotFound(
                    f"There is no membership '{row_id}'.",
                    code="projects.member_not_found",
                    fix=_LISTED,
                )
            require(tx, actor, _READ[ActorKind.IDENTITY], Scope(actor.org_id, project_id))
            member = _found(store.member_row(tx, project_id, row_id), row_id)
        if member.kind is not ActorKind.IDENTITY:
            raise NotFound(
                f"There is no membership '{row_id}' of an identity.",
                code="projects.member_not_found",
                fix=_LISTED,
            )
        return member

    def get_by_row(self, actor: Actor, project_id: str, row_id: str) -> Member:
        """Return the member by the id of the membership."""
        with self._database.read() as tx:
            member = store.member_row(tx, project_id, row_id)
            kind = member.kind if member else ActorKind.USER
            require(tx, actor, _READ[kind], Scope(actor.org_id, project_id))
            return _found(member, row_id)

    def projects_of_identity(
        self, actor: Actor, identity_id: str, most: int
    ) -> tuple[str | None, Sequence[ProjectRef]]:
        """Return a project that the identity works in and the actor sees, and those by name that the actor may add it to."""
        with self._database.read() as tx:
            inside = store.projects_of(tx, actor.org_id, identity_id)
            seen = projects_with(tx, actor, Action.READ_IDENTITY_MEMBERS)
            addable = projects_with(tx, actor, _ADD[ActorKind.IDENTITY])
            refs = [
                each
                for each in project_refs(tx, actor.org_id, None).values()
                if each.id not in inside and (addable is None or each.id in addable)
            ]
        works_in = next((each for each in sorted(inside) if seen is None or each in seen), None)
        return works_in, sorted(refs, key=lambda each: each.name.lower())[:most]

    def add_identity(self, actor: Actor, project_id: str, identity_id: str, roles: Sequence[GivenRole]) -> Member:
        """Let a machine identity of the organization work in the project. Raises Refused when it does already."""
        with self._database.write() as tx:
            self._begin(tx, actor, _ADD[ActorKind.IDENTITY], project_id)
            if identity_store.identity(tx, actor.org_id, identity_id) is None:
                raise NotFound(
                    f"There is no identity '{identity_id}'.",
                    code="access.identity_not_found",
                    fix="GET /api/v1/identities lists them, as the page Machine identities does.",
                )
            return self._add(tx, actor, project_id, ActorKind.IDENTITY, identity_id, roles)

    def add_people(
        self, actor: Actor, project_id: str, emails: Sequence[str], roles: Sequence[GivenRole]
    ) -> Sequence[Member]:
        """Let users of the organization work in the project: all of them or, when one cannot, none."""
        with self._database.write() as tx:
            self._begin(tx, actor, _ADD[ActorKind.USER], project_id)
            people = [_user_id(tx, actor, email) for email in dict.fromkeys(emails)]
            return [self._add(tx, actor, project_id, ActorKind.USER, user_id, roles) for user_id in people]

    def join(self, tx: Tx, actor: Actor, project_id: str, user_id: str, roles: Sequence[GivenRole]) -> Member:
        """Let a user of the organization work in the project, in the caller's transaction. Raises as :meth:`add_people`."""
        self._begin(tx, actor, _ADD[ActorKind.USER], project_id)
        return self._add(tx, actor, project_id, ActorKind.USER, user_id, roles)

    def person(self, actor: Actor, project_id: str, email: str) -> Member:
        """Return the member with this e-mail address."""
        with self._database.read() as tx:
            require(tx, actor, _READ[ActorKind.USER], Scope(actor.org_id, project_id))
            return _found(store.member(tx, project_id, ActorKind.USER, _user_id(tx, actor, email)), email)

    def change_roles(self, actor: Actor, project_id: str, row_id: str, roles: Sequence[GivenRole]) -> Member:
        """Give a member, named by the id of the membership, these roles instead of those that they have."""
        with self._database.write() as tx:
            before = self._managed(tx, actor, project_id, [row_id], _EDIT)[0]
            now = self._clock.now()
            _require_over(tx, actor, before, now)
            store.set_roles(tx, before.id, self._given(tx, actor, project_id, roles), now)
            after = _found(store.member_row(tx, project_id, before.id), row_id)
            _record(tx, actor, events.MEMBER_ROLE_CHANGED, after, now, before=before.role_slugs)
        return after

    def remove(self, actor: Actor, project_id: str, row_ids: Sequence[str]) -> Sequence[Member]:
        """Take members, named by the ids of their memberships, out of the project: all of them or none."""
        with self._database.write() as tx:
            members, now = self._managed(tx, actor, project_id, row_ids, _REMOVE), self._clock.now()
            for member in members:
                _require_over(tx, actor, member, now)
                store.remove_member(tx, member.id)
                _record(tx, actor, events.MEMBER_REMOVED, member, now)
        return members

    def _managed(
        self, tx: Tx, actor: Actor, project_id: str, row_ids: Sequence[str], actions: Mapping[ActorKind, Action]
    ) -> Sequence[Member]:
        """Return the members with these ids on which the actor may do this."""
        rows = [(row_id, store.member_row(tx, project_id, row_id)) for row_id in dict.fromkeys(row_ids)]
        for kind in sorted({member.kind if member else ActorKind.USER for _, member in rows}):
            self._begin(tx, actor, actions[kind], project_id)
        return [_found(member, row_id) for row_id, member in rows]

    def _begin(self, tx: Tx, actor: Actor, action: Action, project_id: str) -> None:
        require(tx, actor, action, Scope(actor.org_id, project_id))
        lock_project(tx, project_id)

    def _add(
        self, tx: Tx, actor: Actor, project_id: str, kind: ActorKind, member_id: str, roles: Sequence[GivenRole]
    ) -> Member:
        held = self._given(tx, actor, project_id, roles)
        there = store.member(tx, project_id, kind, member_id)
        if there is not None:
            raise Refused(
                f"'{there.name}' is a member of this project already.",
                code="projects.member_exists",
                fix="Change the role of the membership instead.",
            )
        now = self._clock.now()
        store.add_member(tx, self._ids.new(), project_id, kind, member_id, held, now)
        member = _found(store.member(tx, project_id, kind, member_id), member_id)
        _record(tx, actor, events.MEMBER_ADDED, member, now)
        return member

    def _given(self, tx: Tx, actor: Actor, project_id: str, roles: Sequence[GivenRole]) -> tuple[MemberRole, ...]:
        """Return the roles as a member has them. Raises Refused for what is none, Forbidden for what permits too much."""
        if not 0 < len(roles) <= MOST_OF_MEMBER or len({role.slug for role in roles}) < len(roles):
            raise Refused(
                f"A member has 1 to {MOST_OF_MEMBER} roles, each once.",
                code="projects.roles",
                fix="Name the roles, each once, or take the member out of the project.",
            )
        return tuple(self._held(tx, actor, project_id, given) for given in roles)

    def _held(self, tx: Tx, actor: Actor, project_id: str, given: GivenRole) -> MemberRole:
        try:
            role = role_of_slug(tx, project_id, given.slug)
        except NotFound as error:
            raise Refused(
                error.message,
                code="projects.role_unknown",
                fix="Name a built-in role (admin, member, viewer, no-access) or one of the project's own by its slug.",
            ) from None
        starts_at = ends_at = None
        if given.temporary_range is not None:
            starts_at = given.starts_at or self._clock.now()
            ends_at = shift(starts_at, period(given.temporary_range))
        require_given(grantable(tx, actor, project_id, ends_at), role)
        role_id = None if role.built_in else role.id
        return MemberRole(self._ids.new(), role.slug, role.name, role_id, given.temporary_range, starts_at, ends_at)


def _require_over(tx: Tx, actor: Actor, member: Member, now: datetime) -> None:
    """Return when the actor may do all that the roles of the member permit, those that have ended aside. Raises Forbidden."""
    for held in member.roles:
        if not held.ended(now):
            own = grantable(tx, actor, member.project_id, held.ends_at)
            require_given(own, role_of_slug(tx, member.project_id, held.slug))


def _record(tx: Tx, actor: Actor, event: AuditEvent, member: Member, now: datetime, **facts: object) -> None:
    """Record an event of the member, with the project, the name, and the role unless another is given."""
    common = {"projectId": member.project_id, "name": member.name, "role": member.role_slugs}
    kind = SubjectKind.USER if member.kind is ActorKind.USER else SubjectKind.IDENTITY
    record(tx, actor, event, Subject(kind, member.member_id, member.project_id), now, **common | facts)


def _user_id(tx: Tx, actor: Actor, email: str) -> str:
    user = people_store.user_by_email(tx, email.strip().lower())
    if user is None or user.org_id != actor.org_id:
        raise NotFound(f"There is no user '{email}'.", code="access.user_not_found", fix="Add the user first.")
    return user.id


def _found(member: Member | None, member_id: str) -> Member:
    if member is None:
        raise NotFound(
            f"There is no member '{member_id}' in this project.",
            code="projects.member_not_found",
            fix=_LISTED,
        )
    return member
