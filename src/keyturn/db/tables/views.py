"""What rooms show of their tables to the SQL of other rooms: columns to be read, and no more.

A statement names a table in one way only, by itself or by its view: a database would take the two for two tables.
"""

import sqlalchemy as sa

from keyturn.db import tables


def _view(table: sa.Table, *columns: str) -> sa.TableClause:
    return sa.table(table.name, *(sa.column(name, table.c[name].type) for name in columns))


projects = _view(tables.projects, "id", "org_id", "name")
environments = _view(tables.environments, "id", "project_id", "slug", "name")
project_members = _view(tables.project_members, "id", "project_id", "user_id", "identity_id")
project_member_roles = _view(tables.project_member_roles, "member_id", "role", "role_id", "starts_at", "ends_at")
project_roles = _view(tables.project_roles, "id", "permissions")
app_connections = _view(tables.app_connections, "id", "project_id")
secret_folders = _view(tables.secret_folders, "id", "path")
secret_rotations = _view(tables.secret_rotations, "id", "name", "connection_id")
mapped_secrets = _view(tables.mapped_secrets, "secret_rotation_id", "name", "which")
users = _view(tables.users, "id", "email", "first_name", "last_name", "org_id", "role")
identities = _view(tables.identities, "id", "name", "org_id", "role")
universal_auths = _view(tables.universal_auths, "identity_id", "access_token_trusted_ips", "access_token_max_ttl")
token_auths = _view(tables.token_auths, "id", "access_token_trusted_ips", "access_token_max_ttl")
processes = _view(tables.processes, "id", "seen_at")
rotations = _view(
    tables.rotations,
    "id", "kind", "connection_id", "cloud", "tenant_id", "app_id", "credential_kind", "enabled", "retired",
    "next_run_at", "paused_until", "created_at",
)  # fmt: skip
OF_OWN_CREDENTIAL = sa.and_(rotations.c.kind == "connection", rotations.c.retired.is_(False))
"""Of the rotations that name a connection: that of its own credential. It may sign in for the rotation of another application."""

project_revisions = _view(tables.projects, "id", "revision")
"""The number of a project's last change. The feed writes it, in the project's row so that whoever writes locks the project."""
