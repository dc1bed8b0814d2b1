"""What clients that provision users sign in with, and the groups that they keep."""

import sqlalchemy as sa

from keyturn.db.columns import at_or_first, key, ref, text
from keyturn.db.tables.base import metadata

scim_tokens = sa.Table(
    "scim_tokens",
    metadata,
    key(),
    ref("org_id", "organizations"),
    text("name"),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    at_or_first("created_at", null=False),
    at_or_first("expires_at"),
    at_or_first("revoked_at"),
    at_or_first("last_used_at"),
)

scim_groups = sa.Table(
    "scim_groups",
    metadata,
    key(),
    ref("org_id", "organizations"),
    text("external_id", null=True),
    text("name"),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.UniqueConstraint("org_id", "name"),
    sa.UniqueConstraint("org_id", "external_id"),
)

scim_group_members = sa.Table(
    "scim_group_members",
    metadata,
    sa.Column("group_id", sa.String(36), sa.ForeignKey("scim_groups.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
)
