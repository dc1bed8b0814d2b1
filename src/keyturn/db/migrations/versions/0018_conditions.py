"""What needs somebody is found by indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _index("refused", "app_connections", ["org_id"], "refused_at IS NOT NULL")
    _index("ends", "app_connections", ["org_id", "ends_at"])
    _index("checked", "app_connections", ["org_id", "checked_at"])
    _index("failed", "rotations", ["org_id"], "status = 'failed'")
    columns = ["org_id", "next_run_at", "interval_days", "last_rotated_at", "enabled", "id"]
    _index("next_run", "rotations", columns)
    _index("current", "credentials", ["org_id", "ends_at", "rotation_id", "key_id"], "state = 'current'")
    columns = ["org_id", "tries", "note", "revoke_after", "retired_at"]
    _index("replaced", "credentials", columns, "state IN ('retiring', 'revoking', 'lost')")
    _index("foreign", "observed_keys", ["first_seen_at"], "ours IS {no} AND gone_at IS NULL")


def _index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    """Make an index, of the rows for which the condition holds; it names what is false as the database does."""
    sqlite = sa.text(where.format(no="0")) if where else None
    postgres = sa.text(where.format(no="false")) if where else None
    op.create_index(f"ix_{table}_{name}", table, columns, unique=False, sqlite_where=sqlite, postgresql_where=postgres)
