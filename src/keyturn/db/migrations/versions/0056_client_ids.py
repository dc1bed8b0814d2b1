"""Connections and rotations are found by client ids in small letters, however those were entered: pages of an inventory ask."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_app_connections_client", "app_connections", ["cloud", sa.text("lower(client_id)")])
    op.create_index("ix_rotations_app", "rotations", ["cloud", sa.text("lower(app_id)")])
