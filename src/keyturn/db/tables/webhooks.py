"""Webhooks of projects, and the journal of what they were told."""

import sqlalchemy as sa

from keyturn.db.columns import at_or_first, flag, key, ref, text, whole
from keyturn.db.tables.base import metadata
from keyturn.db.types import SealedText

webhooks = sa.Table(
    "webhooks",
    metadata,
    key(),
    ref("project_id", "projects", cascade=True),
    text("url"),
    text("environment", null=True),  # none: of all
    text("path"),  # a pattern, as roles have them
    sa.Column("kinds", sa.JSON, nullable=False),  # none: all
    text("acts_for_kind"),
    sa.Column("acts_for_id", sa.String(36), nullable=False),
    text("ca", null=True),
    sa.Column("secret", SealedText, nullable=False),
    sa.Column("previous_secret", SealedText),
    at_or_first("previous_until"),
    flag("enabled", default=True),
    text("disabled_reason", null=True),
    sa.Column("position", sa.BigInteger, nullable=False),  # up to which number of the feed the journal knows
    at_or_first("wake_at", index=True),  # when something is to be sent, as far as it is known
    at_or_first("failing_since"),
    whole("failures"),  # in a row
    at_or_first("last_at"),
    sa.Column("last_status", sa.Integer),
    text("last_reason", null=True),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
)

webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # what the receiver knows it by, the same in each attempt
    ref("webhook_id", "webhooks", cascade=True),
    sa.Column("revision", sa.BigInteger),
    text("kind"),
    text("body"),
    at_or_first("created_at", null=False, index=True),
    at_or_first("next_at", index=True),  # none: it has come to its end
    text("state"),  # waiting, delivered or failed
    whole("attempts"),
)

webhook_attempts = sa.Table(
    "webhook_attempts",
    metadata,
    sa.Column(
        "delivery_id", sa.String(64), sa.ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    at_or_first("at", null=False),
    sa.Column("status", sa.Integer),
    text("reason", null=True),
    whole("milliseconds"),
)
