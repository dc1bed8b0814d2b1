"""SQL for the members of projects and the roles that they have."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db import unread
from keyturn.db.tables import project_member_roles, project_members, project_roles, projects
from keyturn.db.tables.views import users
from keyturn.db.unit import Tx
from keyturn.identities.store import IDENTITIES, WAYS, auth_methods
from keyturn.kit.actor import ActorKind, Role
from keyturn.kit.batches import batches
from keyturn.projects.domain import Member, MemberRole, RoleRef
from keyturn.projects.role_domain import BUILT_IN

_MEMBER = sa.select(
    project_members,
    IDENTITIES.c.name.label("identity_name"),
    users.c.email,
    users.c.first_name,
    users.c.last_name,
    *WAYS,
).select_from(
    project_members.outerjoin(IDENTITIES, IDENTITIES.c.id == project_members.c.identity_id).outerjoin(
        users, users.c.id == project_members.c.user_id
    )
)

_BY_GROUP = project_member_roles.c.by_group
_AT_ONCE = 500


def add_member(
    tx: Tx, row_id: str, project_id: str, kind: ActorKind, member_id: str, roles: Sequence[MemberRole], now: datetime
) -> None:
    values = {"id": row_id, "project_id": project_id, _column(kind).name: member_id}
    tx.run(sa.insert(project_members).values(values | {"created_at": now, "updated_at": now}))
    _add_roles(tx, row_id, roles, now)


def member(tx: Tx, project_id: str, kind: ActorKind, member_id: str) -> Member | None:
    return _one(tx, project_members.c.project_id == project_id, _column(kind) == member_id)


def member_row(tx: Tx, project_id: str, row_id: str) -> Member | None:
    """Return the member by the id of the membership."""
    return _one(tx, project_members.c.project_id == project_id, project_members.c.id == row_id)


def project_of_member(tx: Tx, org_id: str, row_id: str) -> str | None:
    """Return the project of the organization that a membership is in."""
    query = sa.select(project_members.c.project_id).join(projects, projects.c.id == project_members.c.project_id)
    row = tx.one(query.where(project_members.c.id == row_id, projects.c.org_id == org_id))
    return row["project_id"] if row else None


def projects_of(tx: Tx, org_id: str, identity_id: str) -> set[str]:
    """Return the projects of the organization that an identity is a member of."""
    query = sa.select(project_members.c.project_id).join(projects, projects.c.id == project_members.c.project_id)
    rows = tx.rows(query.where(project_members.c.identity_id == identity_id, projects.c.org_id == org_id))
    return {row["project_id"] for row in rows}


def members(tx: Tx, project_id: str, kind: ActorKind) -> list[Member]:
    """Return the members of one kind, oldest first."""
    return _members(tx, project_members.c.project_id == project_id, _column(kind).is_not(None))


def set_roles(tx: Tx, row_id: str, roles: Sequence[MemberRole], now: datetime) -> None:
    """Give the member these roles instead of all that somebody gave them: what a group gives stays the group's."""
    tx.run(sa.update(project_members).where(project_members.c.id == row_id).values(updated_at=now))
    held = project_member_roles.c.member_id == row_id
    of_groups = tx.rows(sa.select(project_member_roles.c.role, project_member_roles.c.role_id).where(held, _BY_GROUP))
    there = {(row["role"], row["role_id"]) for row in of_groups}
    tx.run(sa.delete(project_member_roles).where(held, sa.not_(_BY_GROUP)))
    given = [role for role in roles if role.ends_at is not None or _columns_of(role.ref) not in there]
    _add_roles(tx, row_id, given, now)


def memberships_of(tx: Tx, user_id: str) -> list[Member]:
    """Return what a person is a member of, in all projects."""
    return _members(tx, project_members.c.user_id == user_id)


def give_by_group(tx: Tx, row_id: str, roles: Sequence[MemberRole], now: datetime) -> None:
    """Give the member these roles besides those that they have."""
    _add_roles(tx, row_id, roles, now)


def take_roles(tx: Tx, role_row_ids: Sequence[str]) -> None:
    """Take these roles from the members that have them."""
    for part in batches(role_row_ids, _AT_ONCE):
        tx.run(sa.delete(project_member_roles).where(project_member_roles.c.id.in_(part)))


def remove_member(tx: Tx, row_id: str) -> None:
    tx.run(sa.delete(project_members).where(project_members.c.id == row_id))


def _columns_of(role: RoleRef) -> tuple[str | None, str | None]:
    return (None, role.role_id) if role.role_id else (role.slug, None)


def _column(kind: ActorKind) -> sa.Column[Any]:
    return project_members.c.user_id if kind is ActorKind.USER else project_members.c.identity_id


def _add_roles(tx: Tx, row_id: str, roles: Sequence[MemberRole], now: datetime) -> None:
    for role in roles:
        tx.run(
            sa.insert(project_member_roles),
            id=role.id,
            member_id=row_id,
            role=None if role.role_id else role.slug,
            role_id=role.role_id,
            temporary_range=role.temporary_range,
            starts_at=role.starts_at,
            ends_at=role.ends_at,
            created_at=now,
            by_group=role.by_group,
        )


def _one(tx: Tx, *where: sa.ColumnElement[bool]) -> Member | None:
    return next(iter(_members(tx, *where)), None)


def _members(tx: Tx, *where: sa.ColumnElement[bool]) -> list[Member]:
    """Return the members with their roles: two statements, however many they are."""
    rows = tx.rows(_MEMBER.where(*where).order_by(project_members.c.created_at, project_members.c.id))
    roles: dict[str, list[Mapping[str, Any]]] = {}
    query = (
        sa.select(project_member_roles, project_roles.c.slug, project_roles.c.name)
        .join(project_members, project_members.c.id == project_member_roles.c.member_id)
        .outerjoin(project_roles, project_roles.c.id == project_member_roles.c.role_id)
        .where(*where)
        .order_by(project_member_roles.c.created_at, project_member_roles.c.id)
    )
    for row in tx.rows(query) if rows else ():
        roles.setdefault(row["member_id"], []).append(row)
    return [_member(row, roles.get(row["id"], ())) for row in rows]


def _member(row: Mapping[str, Any], roles: Sequence[Mapping[str, Any]]) -> Member:
    person = row["user_id"] is not None
    faults: list[str] = []
    held = tuple(_role(each, faults) for each in roles)
    return Member(
        row["id"],
        row["project_id"],
        ActorKind.USER if person else ActorKind.IDENTITY,
        row["user_id"] if person else row["identity_id"],
        row["email"] if person else row["identity_name"],
        row["first_name"] or "",
        row["last_name"] or "",
        held,
        auth_methods(row),
        row["created_at"],
        row["updated_at"],
        unread.sentence("membership", faults),
    )


def _role(row: Mapping[str, Any], faults: list[str]) -> MemberRole:
    times = (row["temporary_range"], row["starts_at"], row["ends_at"])
    if row["role_id"] is not None:
        return MemberRole(row["id"], row["slug"], row["name"], row["role_id"], *times, row["by_group"])
    built_in = unread.word(row, "role", Role.NO_ACCESS, faults)
    return MemberRole(row["id"], built_in.value, BUILT_IN[built_in][0], None, *times, row["by_group"])
