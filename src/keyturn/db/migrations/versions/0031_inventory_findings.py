"""An index by which the findings of an inventory are counted without reading its rows."""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_COLUMNS = [
    *("inventory_id", "order_at", "key_kind", "object_kind", "owner_state", "long_lived", "foreign_home"),
    *("has_federated", "disabled", "appeared_at"),
]


def upgrade() -> None:
    op.create_index("ix_inventory_entries_findings", "inventory_entries", _COLUMNS, unique=False)
