"""The inventory of tenants: which connections read them, how far a read is, and what was found."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _connections()
    _inventories()
    _objects()
    _entries()


def _flag(name: str, *, default: bool = False) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), server_default=sa.true() if default else sa.false(), nullable=False)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def _connections() -> None:
    op.create_table(
        "inventory_connections",
        sa.Column("connection_id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("cloud", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("enabled_at", _MOMENT, nullable=False),
        sa.Column("sees_all", sa.Boolean(), nullable=True),
        sa.Column("refused_at", _MOMENT, nullable=True),
        sa.Column("next_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["app_connections.id"],
            name=op.f("fk_inventory_connections_connection_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_inventory_connections_org_id")),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_inventory_connections")),
    )
    for column in ("org_id", "next_at"):
        op.create_index(op.f(f"ix_inventory_connections_{column}"), "inventory_connections", [column], unique=False)
    tenant = ["org_id", "cloud", "tenant_id"]
    op.create_index("ix_inventory_connections_tenant", "inventory_connections", tenant, unique=False)


def _inventories() -> None:
    op.create_table(
        "inventories",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("cloud", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        _flag("sees_all", default=True),
        _flag("warns"),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        _whole("page_size"),
        _whole("scan"),
        _flag("full", default=True),
        sa.Column("began_at", _MOMENT, nullable=True),
        sa.Column("full_at", _MOMENT, nullable=True),
        sa.Column("read_at", _MOMENT, nullable=True),
        sa.Column("applications_token", sa.Text(), nullable=True),
        sa.Column("principals_token", sa.Text(), nullable=True),
        sa.Column("tokens_at", _MOMENT, nullable=True),
        _whole("failures"),
        sa.Column("trouble", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_inventories_org_id")),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["app_connections.id"], name=op.f("fk_inventories_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventories")),
    )
    for column in ("org_id", "connection_id"):
        op.create_index(op.f(f"ix_inventories_{column}"), "inventories", [column], unique=False)
    op.create_index("uq_inventories_tenant", "inventories", ["org_id", "cloud", "tenant_id"], unique=True)


def _objects() -> None:
    op.create_table(
        "inventory_objects",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("inventory_id", sa.String(length=36), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("app_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        _flag("foreign_home"),
        sa.Column("disabled", sa.Boolean(), nullable=True),
        _flag("principal_disabled"),
        sa.Column("secret_limit", sa.Integer(), nullable=True),
        sa.Column("owners", sa.JSON(), nullable=True),
        _flag("federated_read"),
        _whole("seen_in"),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        _flag("pending"),
        _flag("unread"),
        _flag("stale"),
        sa.Column("detailed_at", _MOMENT, nullable=True),
        sa.Column("first_end", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["inventory_id"], ["inventories.id"], name=op.f("fk_inventory_objects_inventory_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_objects")),
    )
    table, of = "inventory_objects", "inventory_id"
    op.create_index("uq_inventory_objects_object", table, [of, "object_id"], unique=True)
    op.create_index("ix_inventory_objects_app", table, [of, "app_id"], unique=False)
    op.create_index("ix_inventory_objects_stale", table, [of, "stale", "first_end"], unique=False)


def _entries() -> None:
    op.create_table(
        "inventory_entries",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("inventory_id", sa.String(length=36), nullable=False),
        sa.Column("holder_id", sa.String(length=36), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("object_kind", "object_id", "app_id", "name")),
        sa.Column("audience", sa.Text(), nullable=False),
        _flag("foreign_home"),
        _flag("disabled"),
        sa.Column("owner_state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("key_kind", "key_id", "key_name", "hint")),
        sa.Column("starts_at", _MOMENT, nullable=True),
        sa.Column("ends_at", _MOMENT, nullable=True),
        sa.Column("order_at", _MOMENT, nullable=False),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("first_seen_at", _MOMENT, nullable=True),
        sa.Column("appeared_at", _MOMENT, nullable=True),
        sa.Column("traced_at", _MOMENT, nullable=True),
        _flag("has_federated"),
        _flag("long_lived"),
        sa.Column("slots_left", sa.Integer(), nullable=True),
        sa.Column("search", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inventory_id"], ["inventories.id"], name=op.f("fk_inventory_entries_inventory_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["inventory_objects.id"], name=op.f("fk_inventory_entries_holder_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_entries")),
    )
    table, of = "inventory_entries", "inventory_id"
    op.create_index(op.f("ix_inventory_entries_holder_id"), table, ["holder_id"], unique=False)
    op.create_index("ix_inventory_entries_order", table, [of, "order_at", "id"], unique=False)
    op.create_index("ix_inventory_entries_name", table, [of, "name", "id"], unique=False)
    op.create_index("ix_inventory_entries_start", table, [of, "starts_at", "id"], unique=False)
    op.create_index("ix_inventory_entries_key", table, ["key_id"], unique=False)
