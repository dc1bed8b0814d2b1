"""SQLite refuses to replace an audit event, too: no trigger of deletes is asked when an insert replaces a row."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Written out, not imported: what a migration did must not change when the code does.
_SQLITE = """CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM audit_events WHERE once = NEW.once)
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END"""


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_SQLITE)
