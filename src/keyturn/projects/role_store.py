"""SQL of the roles that projects make themselves, and of who has them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db import unread
from keyturn.db.tables import project_member_roles, project_members, project_roles, projects
from keyturn.db.tables.views import identities, users
from keyturn.db.unit import Tx
from keyturn.projects.role_domain import ProjectRole


def of_project(tx: Tx, project_id: str) -> list[ProjectRole]:
    """Return the roles of the project's own by name."""
    rows = tx.rows(sa.select(project_roles).where(project_roles.c.project_id == project_id))
    return sorted((_role(row) for row in rows), key=lambda role: (role.name.lower(), role.id))


def by_id(tx: Tx, project_id: str, role_id: str) -> ProjectRole | None:
    return _one(tx, project_roles.c.project_id == project_id, project_roles.c.id == role_id)


def by_slug(tx: Tx, project_id: str, slug: str) -> ProjectRole | None:
    return _one(tx, project_roles.c.project_id == project_id, project_roles.c.slug == slug)


def project_of(tx: Tx, org_id: str, role_id: str) -> str | None:
    """Return the project of the organization that a role is in."""
    query = sa.select(project_roles.c.project_id).join(projects, projects.c.id == project_roles.c.project_id)
    row = tx.one(query.where(project_roles.c.id == role_id, projects.c.org_id == org_id))
    return row["project_id"] if row else None


def add(tx: Tx, role: ProjectRole) -> None:
    tx.run(sa.insert(project_roles).values(id=role.id, project_id=role.project_id, **_values(role)))


def save(tx: Tx, role: ProjectRole) -> None:
    """Write what may change of a role."""
    tx.run(sa.update(project_roles).where(project_roles.c.id == role.id).values(**_values(role)))


def remove(tx: Tx, role_id: str, now: datetime) -> None:
    """Remove the role, and who had it until before now. Whoever has it still is asked about before."""
    of_role = project_member_roles.c.role_id == role_id
    tx.run(sa.delete(project_member_roles).where(of_role, project_member_roles.c.ends_at <= now))
    tx.run(sa.delete(project_roles).where(project_roles.c.id == role_id))


def holders(tx: Tx, role_id: str, now: datetime) -> list[str]:
    """Return the names of the members that have the role, or will have it."""
    query = (
        sa.select(sa.func.coalesce(identities.c.name, users.c.email).label("name"))
        .select_from(
            project_member_roles.join(project_members, project_members.c.id == project_member_roles.c.member_id)
            .outerjoin(identities, identities.c.id == project_members.c.identity_id)
            .outerjoin(users, users.c.id == project_members.c.user_id)
        )
        .where(
            project_member_roles.c.role_id == role_id,
            sa.or_(project_member_roles.c.ends_at.is_(None), project_member_roles.c.ends_at > now),
        )
    )
    return sorted(row["name"] for row in tx.rows(query))


def lasting(tx: Tx, project_id: str) -> dict[str, list[tuple[str | None, str | None]]]:
    """Return the roles without an end that the members of the project have: built-in ones, or ids, by member."""
    query = (
        sa.select(project_members.c.id, project_member_roles.c.role, project_member_roles.c.role_id)
        .join(project_member_roles, project_member_roles.c.member_id == project_members.c.id)
        .where(project_members.c.project_id == project_id, project_member_roles.c.ends_at.is_(None))
    )
    roles: dict[str, list[tuple[str | None, str | None]]] = {}
    for row in tx.rows(query):
        roles.setdefault(row["id"], []).append((row["role"], row["role_id"]))
    return roles


def _one(tx: Tx, *where: sa.ColumnElement[bool]) -> ProjectRole | None:
    row = tx.one(sa.select(project_roles).where(*where))
    return _role(row) if row else None


def _values(role: ProjectRole) -> Mapping[str, Any]:
    return {
        "slug": role.slug,
        "name": role.name,
        "description": role.description,
        "permissions": [dict(each) for each in role.permissions],
        "created_at": role.created_at,
        "updated_at": role.updated_at,
    }


def _role(row: Mapping[str, Any]) -> ProjectRole:
    faults: list[str] = []
    permissions: Sequence[Any] = row["permissions"] if isinstance(row["permissions"], list) else ()
    if not isinstance(row["permissions"], list) or not all(isinstance(each, dict) for each in permissions):
        faults.append("permissions are no list of objects, so that it permits nothing")
        permissions = ()
    return ProjectRole(
        row["id"],
        row["project_id"],
        row["slug"],
        row["name"],
        row["description"],
        tuple(permissions),
        row["created_at"],
        row["updated_at"],
        unread.sentence("role", faults),
    )
