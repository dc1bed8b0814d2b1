"""Of a connection that does not rotate it is known, too, when its secret ends."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("app_connections", sa.Column("secret_ends_at", sa.DateTime(timezone=True), nullable=True))
    columns = ["org_id", "secret_ends_at"]
    op.create_index("ix_app_connections_secret_ends", "app_connections", columns, unique=False)
