"""Who has which credential of an application is written down; a previous one may wait for those who have it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credential_uses",
        sa.Column("credential_id", sa.String(length=36), nullable=False),
        sa.Column("caller_kind", sa.String(length=20), nullable=False),
        sa.Column("caller_id", sa.String(length=36), nullable=False),
        sa.Column("instance", sa.String(length=128), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("refresh_seconds", sa.Integer(), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "credential_id", "caller_kind", "caller_id", "instance", name=op.f("pk_credential_uses")
        ),
    )
    op.create_index(op.f("ix_credential_uses_last_at"), "credential_uses", ["last_at"], unique=False)
    op.add_column("credentials", sa.Column("wait_ends_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("rotations", sa.Column("slots", sa.Integer(), nullable=True))
    waiting = sa.text("state = 'retiring' AND wait_ends_at IS NOT NULL")
    op.create_index("ix_credentials_waiting", "credentials", ["org_id"], sqlite_where=waiting, postgresql_where=waiting)
    # Nobody knows who has read these: they count as held until their end.
    op.execute(
        "INSERT INTO credential_uses"
        " (credential_id, caller_kind, caller_id, instance, first_at, read_at, last_at)"
        " SELECT c.id, 'unknown', '', '', c.published_at, c.published_at, c.published_at"
        " FROM credentials c JOIN rotations r ON r.id = c.rotation_id"
        " WHERE r.kind = 'application' AND c.state IN ('current', 'retiring') AND c.published_at IS NOT NULL"
    )
