"""People can be disabled; of what somebody granted with a browser it is known who did."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("oauth_tokens", sa.Column("signed_in_by", sa.String(36), nullable=True))
    op.add_column("oauth_tokens", sa.Column("signed_in_email", sa.Text(), nullable=True))
    op.create_index("ix_oauth_tokens_signed_in_by", "oauth_tokens", ["signed_in_by"], unique=False)
