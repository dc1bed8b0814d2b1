"""A project knows who made it, and the retention that a client asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("created_by", sa.String(length=36), nullable=True))
    op.add_column("projects", sa.Column("audit_retention_days", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_projects_created_by"), "projects", ["created_by"], unique=False)
    _known_makers()


def _known_makers() -> None:
    """Who made the projects that are there is in the audit trail."""
    op.execute(
        "UPDATE projects SET created_by = (SELECT max(actor_id) FROM audit_events"
        " WHERE event = 'create-project' AND subject_id = projects.id)"
    )
