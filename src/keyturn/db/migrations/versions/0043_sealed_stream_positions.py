"""How far audit events were sent is sealed: whoever raises a number in the database silences no receiver."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_stream_positions", sa.Column("seal", sa.Text(), nullable=True))
