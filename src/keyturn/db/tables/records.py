"""What the server keeps of itself: data keys, other keys, the audit trail with its hash chains, and how far it was removed."""

import sqlalchemy as sa

from keyturn.db.columns import at, at_or_first, key, text
from keyturn.db.tables.base import metadata
from keyturn.db.types import SealedText

data_keys = sa.Table(
    "data_keys",
    metadata,
    key(),
    text("root_key_id"),
    text("wrapped"),
    at_or_first("created_at", null=False),
    at_or_first("retired_at"),
    sa.Column("seals", sa.BigInteger, nullable=False, default=0, server_default="0"),  # how many values, roughly
)

root_keys = sa.Table(  # those that a vault's key wraps; from a file or the environment none comes here
    "root_keys",
    metadata,
    key(),
    text("vault_key_id"),
    text("wrapped"),
    at_or_first("created_at", null=False),
)

fingerprint_keys = sa.Table(
    "fingerprint_keys",
    metadata,
    key(),
    sa.Column("value", SealedText, nullable=False),  # the key of the fingerprints of credentials
    at_or_first("created_at", null=False),
)

audit_events = sa.Table(
    "audit_events",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    at("at", null=False, index=True),
    sa.Column("org_id", sa.String(36), index=True),
    sa.Column("project_id", sa.String(36)),
    text("actor_kind"),
    sa.Column("actor_id", sa.String(36)),
    text("actor_name", null=True),
    text("event"),
    text("subject_kind"),
    sa.Column("subject_id", sa.String(36), index=True),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("once", sa.Text, unique=True),  # at most one event for this key, e.g. the end of one run
    text("request_id", null=True),
)

# Up to which id the trail was removed, since what was older than `until` was no longer to be kept. A floor only rises.
audit_floors = sa.Table(
    "audit_floors",
    metadata,
    sa.Column("up_to", sa.BigInteger, primary_key=True, autoincrement=False),
    at("until", null=False),
    at("at", null=False),
)

# The hash chain of each organization; that of events without one has the id ''. It holds from `start_position`, up to which
# events were removed since they were no longer to be kept, to `position`. The seal is a MAC of all of it.
audit_chains = sa.Table(
    "audit_chains",
    metadata,
    key(),
    sa.Column("start_position", sa.BigInteger, nullable=False),
    text("start_hash"),
    sa.Column("position", sa.BigInteger, nullable=False),
    text("hash"),
    text("seal"),
)

# The place of each event in its chain. The hash is keyed, over the one before and all fields of the event.
audit_links = sa.Table(
    "audit_links",
    metadata,
    sa.Column("event_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("chain", sa.String(36), nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    text("hash"),
    sa.UniqueConstraint("chain", "position"),
)

# Where processes make backups, and what they last found there.
backup_folders = sa.Table(
    "backup_folders",
    metadata,
    sa.Column("folder", sa.Text, primary_key=True),
    sa.Column("hours", sa.Integer, nullable=False),
    at_or_first("since", null=False),
    at_or_first("looked_at", null=False),
    at_or_first("made_at"),
    text("failure", null=True),
)

# Where all audit events are sent, by the kind of receiver: when next, and how it went.
audit_streams = sa.Table(
    "audit_streams",
    metadata,
    key(),
    at_or_first("wake_at"),
    at_or_first("sent_at"),
    at_or_first("failing_since"),
    sa.Column("failures", sa.Integer, nullable=False),
    text("reason", null=True),
)

# Up to which position of each chain its events were taken. The seal is a MAC of the row. One without counts as changed:
# an older version wrote none, and whoever has the database can take it away.
audit_stream_positions = sa.Table(
    "audit_stream_positions",
    metadata,
    sa.Column("stream_id", sa.String(36), primary_key=True),
    sa.Column("chain", sa.String(36), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    text("seal", null=True),
)

audit_keys = sa.Table(
    "audit_keys",
    metadata,
    key(),
    sa.Column("value", SealedText, nullable=False),  # the key of the hash chains, and the one that signs receipts
    at_or_first("created_at", null=False),
)
