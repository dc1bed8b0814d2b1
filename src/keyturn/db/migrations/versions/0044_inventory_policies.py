"""The policies that apply to what an inventory holds, which kind of credential signed in last, and counts that are kept.

What an object is found by is kept with it, once, and not with each of its credentials.
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for name in ("policies", "policies_trouble", "counted"):
        op.add_column("inventories", sa.Column(name, sa.JSON(), nullable=True))
    op.add_column("inventory_objects", sa.Column("made_at", _MOMENT, nullable=True))
    op.add_column("inventory_objects", sa.Column("policy_id", sa.Text(), nullable=True))
    for name in ("search", "key_search"):
        op.add_column("inventory_objects", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.add_column("inventory_entries", sa.Column("life_days", sa.Integer(), nullable=True))
    op.add_column("inventory_uses", sa.Column("app_id", sa.Text(), nullable=True))
    op.add_column("inventory_uses", sa.Column("key_kind", sa.Text(), nullable=True))
    op.create_index("ix_inventory_uses_app", "inventory_uses", ["inventory_id", "app_id"], unique=False)
    # So far a line had all words: the next read of the lists divides them.
    objects = sa.table("inventory_objects", sa.column("id"), sa.column("key_search"))
    lines = sa.table("inventory_entries", sa.column("holder_id"), sa.column("search", sa.Text()))
    words = sa.select(sa.func.aggregate_strings(lines.c.search, " ")).where(lines.c.holder_id == objects.c.id)
    op.execute(objects.update().values(key_search=sa.func.coalesce(words.scalar_subquery(), "")))
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_inventory_entries_search", "inventory_entries")
        columns = ["inventory_id", "search", "key_search", "id"]
        op.create_index("ix_inventory_objects_search", "inventory_objects", columns, unique=False)
