"""Indexes for large organizations: of credentials that were removed lately, and of what is searched in an inventory."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    condition = sa.text("state = 'revoked'")
    op.create_index(
        "ix_credentials_revoked",
        "credentials",
        ["org_id", "ended_at"],
        sqlite_where=condition,
        postgresql_where=condition,
    )
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_inventory_entries_search", "inventory_entries", ["inventory_id", "search", "order_at", "id"]
        )
