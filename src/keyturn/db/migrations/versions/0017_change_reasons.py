"""The feed says why a value was published, and what a renamed secret or folder was called before."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("changes", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("changes", sa.Column("previous_name", sa.Text(), nullable=True))
    op.add_column("changes", sa.Column("previous_path", sa.Text(), nullable=True))
