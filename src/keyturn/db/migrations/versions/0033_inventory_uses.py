"""When the credentials of an inventory last signed in, as the provider reports it."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("inventories", sa.Column("uses_at", _MOMENT, nullable=True))
    op.add_column("inventories", sa.Column("uses_trouble", sa.JSON(), nullable=True))
    op.create_table(
        "inventory_uses",
        sa.Column("inventory_id", sa.String(length=36), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("last_used_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["inventory_id"], ["inventories.id"], name=op.f("fk_inventory_uses_inventory_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("inventory_id", "key_id", name=op.f("pk_inventory_uses")),
    )
