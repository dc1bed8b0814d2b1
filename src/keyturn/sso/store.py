"""SQL for the roles that groups have, and for the sign-ins that have succeeded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db import unread
from keyturn.db.tables import group_roles, used_sign_ins
from keyturn.db.tables.views import project_roles, projects
from keyturn.db.unit import Tx
from keyturn.kit.actor import Role
from keyturn.sso.domain import GroupRole


def add(tx: Tx, row: GroupRole) -> None:
    tx.run(
        sa.insert(group_roles).values(
            id=row.id,
            org_id=row.org_id,
            group_id=row.group_id,
            group_name=row.group_name,
            project_id=row.project_id,
            role=None if row.role_id else row.role,
            role_id=row.role_id,
            created_at=row.created_at,
            updated_at=row.created_at,
        )
    )


def of_organization(tx: Tx, org_id: str) -> list[GroupRole]:
    """Return all, by the group's name; roles in the organization before those in projects."""
    query = (
        sa.select(group_roles, projects.c.name.label("project_name"), project_roles.c.slug)
        .select_from(
            group_roles.outerjoin(projects, projects.c.id == group_roles.c.project_id).outerjoin(
                project_roles, project_roles.c.id == group_roles.c.role_id
            )
        )
        .where(group_roles.c.org_id == org_id)
    )
    rows = [_row(row) for row in tx.rows(query)]
    return sorted(rows, key=lambda row: (row.group_name.lower(), row.group_id, row.project_name or "", row.id))


def remove(tx: Tx, row_id: str) -> None:
    tx.run(sa.delete(group_roles).where(group_roles.c.id == row_id))


def note_used(tx: Tx, digest: str, now: datetime, forget_before: datetime) -> bool:
    """Write that the sign-in has succeeded; say whether it was the first time."""
    tx.run(sa.delete(used_sign_ins).where(used_sign_ins.c.used_at < forget_before))
    if tx.one(sa.select(used_sign_ins.c.digest).where(used_sign_ins.c.digest == digest)) is not None:
        return False
    tx.run(sa.insert(used_sign_ins).values(digest=digest, used_at=now))
    return True


def _row(row: Mapping[str, Any]) -> GroupRole:
    role = row["slug"] if row["role_id"] else unread.word(row, "role", Role.NO_ACCESS, []).value
    return GroupRole(
        row["id"],
        row["org_id"],
        row["group_id"],
        row["group_name"],
        row["project_id"],
        role,
        row["role_id"],
        row["created_at"],
        row["project_name"],
    )
