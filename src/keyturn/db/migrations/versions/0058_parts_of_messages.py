"""Of a message that tells a program of many alarms each part is sent, and tried again, by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alarm_messages", sa.Column("parts_taken", sa.Integer(), nullable=False, server_default="0"))
