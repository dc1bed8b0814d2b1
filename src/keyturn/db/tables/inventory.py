"""The inventory of tenants: which connections read them, how far a read is, and what was found."""

import sqlalchemy as sa

from keyturn.db.columns import at_or_first, flag, key, ref, text, whole
from keyturn.db.tables.base import metadata

# The connections that the inventory of their tenant is switched on for. One of those of a tenant reads it.
inventory_connections = sa.Table(
    "inventory_connections",
    metadata,
    sa.Column(
        "connection_id", sa.String(36), sa.ForeignKey("app_connections.id", ondelete="CASCADE"), primary_key=True
    ),
    ref("org_id", "organizations"),
    text("cloud"),
    text("tenant_id"),
    at_or_first("enabled_at", null=False),
    sa.Column("sees_all", sa.Boolean),  # none: nobody has tried
    at_or_first("refused_at"),
    at_or_first("next_at", null=False, index=True),
    sa.Index("ix_inventory_connections_tenant", "org_id", "cloud", "tenant_id"),
)

# All of it was read through the connection, and goes with it: who may not use that may not see it.
inventories = sa.Table(
    "inventories",
    metadata,
    key(),
    ref("org_id", "organizations"),
    text("cloud"),
    text("tenant_id"),
    ref("connection_id", "app_connections", cascade=True),
    at_or_first("created_at", null=False),
    flag("sees_all", default=True),
    flag("warns"),
    text("phase"),
    text("cursor", null=True),
    whole("page_size"),
    whole("scan"),
    flag("full", default=True),
    at_or_first("began_at"),
    at_or_first("full_at"),
    at_or_first("read_at"),
    text("applications_token", null=True),
    text("principals_token", null=True),
    at_or_first("tokens_at"),
    whole("failures"),
    sa.Column("trouble", sa.JSON),
    at_or_first("uses_at"),
    sa.Column("uses_trouble", sa.JSON),  # why it is not reported when credentials sign in
    sa.Column("policies", sa.JSON),  # all of them: a tenant has a few
    sa.Column("policies_trouble", sa.JSON),  # why it is not known which policies apply
    sa.Column("counted", sa.JSON),  # how many lines there are of each finding; none: something changed since
    sa.Index("uq_inventories_tenant", "org_id", "cloud", "tenant_id", unique=True),
)

inventory_objects = sa.Table(
    "inventory_objects",
    metadata,
    key(),
    sa.Column("inventory_id", sa.String(36), sa.ForeignKey("inventories.id", ondelete="CASCADE"), nullable=False),
    text("object_id"),
    text("kind"),
    text("app_id"),
    text("name"),
    text("audience"),
    flag("foreign_home"),
    sa.Column("disabled", sa.Boolean),  # the object's own word; none: it does not tell
    flag("principal_disabled"),  # of an application: nobody can sign in as its service principal
    sa.Column("secret_limit", sa.Integer),
    sa.Column("owners", sa.JSON),  # none: not read, or not to be read
    flag("federated_read"),
    whole("seen_in"),  # the last scan whose lists had it
    text("fingerprint"),  # of what lists tell: equal means that nothing has to be written
    flag("pending"),  # known by its id only
    flag("unread"),  # the object itself is to be read again
    flag("stale"),  # owners and federated credentials are to be read again
    at_or_first("detailed_at"),
    at_or_first("first_end"),  # of what had not ended when it was read
    at_or_first("made_at"),
    text("policy_id", null=True),  # of the policy that is assigned to it; none: that of the tenant applies
    # What it is found by, in small letters: its own name, ids and owners; and what its credentials are called.
    sa.Column("search", sa.Text, nullable=False, default="", server_default=""),
    sa.Column("key_search", sa.Text, nullable=False, default="", server_default=""),
    sa.Index("uq_inventory_objects_object", "inventory_id", "object_id", unique=True),
    sa.Index("ix_inventory_objects_app", "inventory_id", "app_id"),
    sa.Index("ix_inventory_objects_stale", "inventory_id", "stale", "first_end"),
    # Words are looked for in each object: in the index SQLite reads less. PostgreSQL limits the length of what it indexes.
    sa.Index("ix_inventory_objects_search", "inventory_id", "search", "key_search", "id").ddl_if(dialect="sqlite"),
)

# One for each credential, and one for an object without: a line of the list, with all that is filtered by.
inventory_entries = sa.Table(
    "inventory_entries",
    metadata,
    key(),
    sa.Column("inventory_id", sa.String(36), sa.ForeignKey("inventories.id", ondelete="CASCADE"), nullable=False),
    ref("holder_id", "inventory_objects", cascade=True),
    text("object_kind"),
    text("object_id"),
    text("app_id"),
    text("name"),
    text("audience"),
    flag("foreign_home"),
    flag("disabled"),
    text("owner_state"),
    text("key_kind", null=True),
    text("key_id", null=True),
    text("key_name", null=True),
    text("hint", null=True),
    at_or_first("starts_at"),
    at_or_first("ends_at"),
    at_or_first("order_at", null=False),  # the end, or the end of the calendar for what has none
    text("issuer", null=True),
    text("subject", null=True),
    at_or_first("first_seen_at"),
    at_or_first("appeared_at"),
    at_or_first("traced_at"),  # since when it is known, or known not to be knowable, who made what appeared
    flag("has_federated"),
    flag("long_lived"),
    sa.Column("slots_left", sa.Integer),
    text("search"),  # in small letters: what the credential itself is called
    sa.Column("life_days", sa.Integer),  # from start to end
    sa.Index("ix_inventory_entries_order", "inventory_id", "order_at", "id"),
    sa.Index("ix_inventory_entries_name", "inventory_id", "name", "id"),
    sa.Index("ix_inventory_entries_start", "inventory_id", "starts_at", "id"),
    sa.Index("ix_inventory_entries_key", "key_id"),
    # All that findings are counted by: rows are long, and are not read for it.
    sa.Index(
        "ix_inventory_entries_findings",
        *("inventory_id", "order_at", "key_kind", "object_kind", "owner_state", "long_lived", "foreign_home"),
        *("has_federated", "disabled", "appeared_at"),
    ),
)

# When credentials last signed in, as the provider reports it.
inventory_uses = sa.Table(
    "inventory_uses",
    metadata,
    sa.Column("inventory_id", sa.String(36), sa.ForeignKey("inventories.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key_id", sa.String(64), primary_key=True),
    at_or_first("last_used_at", null=False),
    text("app_id", null=True),
    text("key_kind", null=True),  # none: it is not told
    sa.Index("ix_inventory_uses_app", "inventory_id", "app_id"),
)
