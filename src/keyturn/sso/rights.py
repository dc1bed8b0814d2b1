"""Roles that follow the groups of a person: functions with the caller's transaction.

Roles that somebody gave stay as they are, but for the one in the organization once groups decide about those.
"""

from collections.abc import Mapping
from datetime import datetime

from keyturn.audit import events, project_events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.actor import ActorKind, Role, platform
from keyturn.organizations import store as organization_store
from keyturn.people import leaving
from keyturn.people import store as people_store
from keyturn.people.domain import User
from keyturn.ports.clock import Ids
from keyturn.projects import member_store
from keyturn.projects.domain import Member, MemberRole, RoleRef
from keyturn.projects.store import lock_project
from keyturn.tokens import store as token_store

_NONE: frozenset[RoleRef] = frozenset()


def change_role(tx: Tx, user: User, role: Role, now: datetime) -> User:
    """Give the user this role in the organization, and end their sessions where it is another one. Repeatable.

    The last administrator who has a password stays one, whatever the groups say: somebody has to be able to come in.
    """
    # Two administrators whose groups go at the same time must not both lose their role.
    organization_store.organization(tx, user.org_id, lock=True)
    user = people_store.user_by_id(tx, user.id, lock=True) or user
    if role is user.role:
        return user
    if user.role is Role.ADMIN:
        try:
            leaving.keep_an_admin(tx, user)
        except Refused:
            return user
    people_store.change_user(tx, user.id, now, role=role.value)
    people_store.end_sessions_of_user(tx, user.id)
    facts = {"before": user.role.value, "role": role.value}
    record(tx, platform(user.org_id), events.USER_ROLE_CHANGED, leaving.subject(user), now, **facts)
    return leaving.find_user(tx, platform(user.org_id), user.id)


def follow_groups(tx: Tx, ids: Ids, user: User, wanted: Mapping[str, frozenset[RoleRef]], now: datetime) -> None:
    """Give the user these roles in projects, and take those that groups gave and give no longer. Repeatable."""
    members = {member.project_id: member for member in member_store.memberships_of(tx, user.id)}
    following = {project for project, member in members.items() if any(role.by_group for role in member.roles)}
    for project_id in sorted(following | wanted.keys()):
        _follow(tx, ids, user, project_id, members.get(project_id), wanted.get(project_id, _NONE), now)


def end_access(tx: Tx, user: User, now: datetime) -> None:
    """End all sessions and access tokens of the user. Repeatable."""
    people_store.end_sessions_of_user(tx, user.id)
    token_store.revoke_tokens_of_user(tx, user.id, now)


def _follow(
    tx: Tx, ids: Ids, user: User, project_id: str, member: Member | None, wanted: frozenset[RoleRef], now: datetime
) -> None:
    held = member.roles if member else ()
    lasting = {role.ref for role in held if role.ends_at is None}
    gone = [role for role in held if role.by_group and role.ref not in wanted]
    new = [
        MemberRole(ids.new(), ref.slug, ref.slug, ref.role_id, by_group=True)
        for ref in sorted(wanted - lasting, key=lambda ref: ref.slug)
    ]
    if not gone and not new:
        return
    lock_project(tx, project_id)
    subject = Subject(SubjectKind.USER, user.id, project_id)
    facts = {"projectId": project_id, "name": user.email}
    actor, left = platform(user.org_id), [*(role for role in held if role not in gone), *new]
    if member is None:
        member_store.add_member(tx, ids.new(), project_id, ActorKind.USER, user.id, new, now)
        record(tx, actor, project_events.MEMBER_ADDED, subject, now, **facts, role=_slugs(new))
    elif not left:
        member_store.remove_member(tx, member.id)
        record(tx, actor, project_events.MEMBER_REMOVED, subject, now, **facts, role=member.role_slugs)
    else:
        member_store.take_roles(tx, [role.id for role in gone])
        member_store.give_by_group(tx, member.id, new, now)
        facts |= {"before": member.role_slugs, "role": _slugs(left)}
        record(tx, actor, project_events.MEMBER_ROLE_CHANGED, subject, now, **facts)


def _slugs(roles: list[MemberRole]) -> str:
    return ", ".join(role.slug for role in roles)
