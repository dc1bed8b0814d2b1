"""Disabling a person moves the access revision, as deleting does: copies of what their tokens may read are no longer right."""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

# Written out, not imported: what a migration did must not change when the code does.
_SQLITE = (
    "CREATE TRIGGER access_update_users AFTER UPDATE OF org_id, email, role, disabled_at ON users BEGIN"
    " INSERT INTO access_revisions (id, revision) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET revision = revision + 1; END"
)
_POSTGRESQL = (
    "CREATE CONSTRAINT TRIGGER access_users AFTER UPDATE OF org_id, email, role, disabled_at OR DELETE ON users"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keyturn_move_access()"
)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DROP TRIGGER access_update_users")
        connection.exec_driver_sql(_SQLITE)
    else:
        connection.exec_driver_sql("DROP TRIGGER access_users ON users")
        connection.exec_driver_sql(_POSTGRESQL)
