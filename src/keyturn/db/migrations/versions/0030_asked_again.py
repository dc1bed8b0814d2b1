"""Of a run it is known when somebody last asked for it: what was put off before that is tried at once."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("requested_at", sa.DateTime(timezone=True), nullable=True))
