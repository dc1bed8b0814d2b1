"""Connections that are made to sign in without a secret."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "conversions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("connection_id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("object_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("method_before", sa.Text(), nullable=False),
        sa.Column("hash_before", sa.Text(), nullable=False),
        sa.Column("rotated_before", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("watch_seconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tried_at", _MOMENT, nullable=True),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("wake_at", _MOMENT, nullable=True),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.JSON(), nullable=True),
        sa.Column("requested_by", sa.JSON(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["app_connections.id"], name=op.f("fk_conversions_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversions")),
    )
    for column in ("connection_id", "wake_at"):
        op.create_index(op.f(f"ix_conversions_{column}"), "conversions", [column], unique=False)
