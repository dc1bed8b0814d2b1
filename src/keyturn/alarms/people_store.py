"""Who administers: read from what the rooms of people and projects show."""

import sqlalchemy as sa

from keyturn.db.tables.views import project_member_roles, project_members, users
from keyturn.db.unit import Tx
from keyturn.kit.actor import Role

_OF_ORGANIZATION = (
    sa.select(users.c.email)
    .where(users.c.org_id == sa.bindparam("org"), users.c.role == Role.ADMIN.value, users.c.disabled_at.is_(None))
    .order_by(users.c.email)
)
_OF_PROJECTS = (
    sa.select(project_members.c.project_id, users.c.email)
    .join(project_member_roles, project_member_roles.c.member_id == project_members.c.id)
    .join(users, users.c.id == project_members.c.user_id)
    .where(
        users.c.org_id == sa.bindparam("org"),
        project_member_roles.c.role == Role.ADMIN.value,
        project_member_roles.c.ends_at.is_(None),
        users.c.disabled_at.is_(None),
    )
    .order_by(users.c.email)
)


def administrators(tx: Tx, org_id: str) -> dict[str | None, list[str]]:
    """Return e-mail addresses of administrators by project, and (None) those of the organization."""
    found: dict[str | None, list[str]] = {None: [row["email"] for row in tx.rows(_OF_ORGANIZATION, org=org_id)]}
    for row in tx.rows(_OF_PROJECTS, org=org_id):
        found.setdefault(row["project_id"], []).append(row["email"])
    return found
