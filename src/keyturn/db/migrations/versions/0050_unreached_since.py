"""Since when it cannot be found out whether a connection works: each look that fails wrote only when it was."""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("app_connections", sa.Column("unreached_since", sa.DateTime(timezone=True), nullable=True))
