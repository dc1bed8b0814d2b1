"""A connection that rotates points to the row of the journal that has its credential; the salt of its hash is by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SALT_INSIDE = "salt IS NULL"


def upgrade() -> None:
    """Servers move salts and drop copies of the rows that are there: only they have the keys."""
    op.add_column("app_connections", sa.Column("credential_id", sa.String(length=36), nullable=True))
    op.add_column("app_connections", sa.Column("salt", sa.Text(), nullable=True))
    op.create_index(op.f("ix_app_connections_credential_id"), "app_connections", ["credential_id"], unique=False)
    op.create_index(
        "ix_app_connections_salt_inside",
        "app_connections",
        ["id"],
        unique=False,
        sqlite_where=sa.text(_SALT_INSIDE),
        postgresql_where=sa.text(_SALT_INSIDE),
    )
