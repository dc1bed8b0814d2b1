"""Signs of life and looks at alarms, written every few seconds or each minute, no longer stand in an index.

There are few such rows. PostgreSQL replaces one in its place where no index names what changes, and cleans up by itself;
else each write leaves a dead row until a vacuum comes.
"""

from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_processes_seen_at", "processes")
    op.drop_index("ix_alarm_evaluations_due_at", "alarm_evaluations")
