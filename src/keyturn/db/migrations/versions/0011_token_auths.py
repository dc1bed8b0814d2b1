"""Machine identities sign in with tokens that others sign; an access token knows how it was got."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "token_auths",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("identity_id", sa.String(length=36), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("binding", sa.JSON(), nullable=False),
        sa.Column("access_token_ttl", sa.Integer(), server_default="2592000", nullable=False),
        sa.Column("access_token_max_ttl", sa.Integer(), server_default="2592000", nullable=False),
        sa.Column("access_token_uses_limit", sa.Integer(), server_default="0", nullable=False),
        sa.Column("access_token_trusted_ips", sa.JSON(), nullable=False),
        sa.Column("reviewer_token", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["identities.id"],
            name=op.f("fk_token_auths_identity_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_auths")),
        sa.UniqueConstraint("identity_id", "method", name=op.f("uq_token_auths_identity_id_method")),
    )
    op.create_index(op.f("ix_token_auths_identity_id"), "token_auths", ["identity_id"], unique=False)
    op.add_column("access_tokens", sa.Column("token_auth_id", sa.String(length=36), nullable=True))
    op.create_index(op.f("ix_access_tokens_token_auth_id"), "access_tokens", ["token_auth_id"], unique=False)
