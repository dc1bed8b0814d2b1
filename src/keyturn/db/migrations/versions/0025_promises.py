"""What is promised to readers of an application's secrets moves the access revision, too: copies of it are no longer right."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# Written out, not imported: what a migration did must not change when the code does.
_COLUMNS = ("overlap", "enabled", "retired", "next_run_at", "paused_until")


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(_sqlite() if connection.dialect.name == "sqlite" else _postgresql())


def _sqlite() -> str:
    changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in _COLUMNS)
    head = f"CREATE TRIGGER access_update_rotations AFTER UPDATE OF {', '.join(_COLUMNS)} ON rotations"
    move = (
        "INSERT INTO access_revisions (id, revision) VALUES (1, 1)"
        " ON CONFLICT (id) DO UPDATE SET revision = revision + 1"
    )
    return f"{head} WHEN NEW.kind = 'application' AND ({changed}) BEGIN {move}; END"


def _postgresql() -> str:
    changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _COLUMNS)
    return (
        f"CREATE CONSTRAINT TRIGGER access_rotations AFTER UPDATE OF {', '.join(_COLUMNS)} ON rotations"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        f" WHEN (NEW.kind = 'application' AND ({changed})) EXECUTE FUNCTION keyturn_move_access()"
    )
