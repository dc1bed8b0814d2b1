"""Who answers for what, alarms, and the messages that tell of them."""

import sqlalchemy as sa

from keyturn.db.columns import at_or_first, flag, key, ref, text, whole
from keyturn.db.tables.base import metadata
from keyturn.db.types import SealedText

# The id is that of the connection or secret rotation. Who left the organization stays named until somebody else is.
owners = sa.Table(
    "owners",
    metadata,
    key(),
    ref("org_id", "organizations"),
    ref("connection_id", "app_connections", null=True, cascade=True),
    ref("secret_rotation_id", "secret_rotations", null=True, cascade=True),
    sa.Column("user_id", sa.String(36), index=True),
    text("email"),  # of the person, as it was when they became the owner
    text("contact", null=True),
    at_or_first("updated_at", null=False),
)

alarms = sa.Table(
    "alarms",
    metadata,
    key(),
    ref("org_id", "organizations"),
    sa.Column("project_id", sa.String(36), index=True),
    text("kind"),
    text("condition_key"),
    text("severity"),
    text("subject_kind"),
    text("subject_id"),
    text("subject"),  # its name
    sa.Column("place", sa.JSON, nullable=False),  # environment, path and connection: who may see the subject sees this
    text("cause"),
    text("fix"),
    text("path"),
    sa.Column("owner_id", sa.String(36)),
    text("contact", null=True),
    at_or_first("since"),
    at_or_first("ends_at"),
    sa.Column("step", sa.Integer),  # the fewest days before its end that somebody was told of; none: it has no end
    at_or_first("opened_at", null=False),
    at_or_first("escalated_at"),  # when administrators were told, where the owner was told first
    at_or_first("reminded_at", null=False),  # when it was last told of
    at_or_first("resolved_at"),
    text("silence", null=True),  # acknowledged, or snoozed
    text("silence_by", null=True),
    text("silence_reason", null=True),
    at_or_first("silence_at"),
    at_or_first("silence_until"),
    sa.Index(
        "uq_alarms_open",
        "org_id",
        "condition_key",
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    ),
    sa.Index("ix_alarms_in_order", "org_id", "resolved_at", "opened_at"),
)

alarm_rules = sa.Table(
    "alarm_rules",
    metadata,
    sa.Column("org_id", sa.String(36), sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("days", sa.JSON, nullable=False),  # before an end, at which somebody is told
    whole("reaction_days", 3),
    whole("reminder_days", 7),
    at_or_first("updated_at", null=False),
)

alarm_evaluations = sa.Table(
    "alarm_evaluations",
    metadata,
    sa.Column("org_id", sa.String(36), sa.ForeignKey("organizations.id"), primary_key=True),
    at_or_first("due_at", null=False),  # in no index: PostgreSQL writes it in its place then
    at_or_first("evaluated_at"),
)

alarm_channels = sa.Table(
    "alarm_channels",
    metadata,
    key(),
    ref("org_id", "organizations"),
    ref("project_id", "projects", null=True, cascade=True),  # none: of all projects, and of none
    text("name"),
    text("kind"),
    sa.Column("config", sa.JSON, nullable=False),  # what may be shown: addresses of servers, receivers
    sa.Column("secret", SealedText),
    text("least"),  # the least severity that goes there
    whole("digest_hour", 8),
    text("time_zone"),
    flag("enabled", default=True),
    at_or_first("failing_since"),
    text("failure", null=True),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.UniqueConstraint("org_id", "name"),
)

alarm_messages = sa.Table(
    "alarm_messages",
    metadata,
    key(),
    ref("org_id", "organizations"),
    ref("channel_id", "alarm_channels", cascade=True),
    text("receiver"),  # an address, where the channel has several; else empty
    sa.Column("dedup_key", sa.String(300), nullable=False, unique=True),
    text("kind"),  # alarm, digest or test
    at_or_first("created_at", null=False, index=True),
    at_or_first("due_at", index=True),  # none: it was sent, or given up
    at_or_first("begun_at"),  # from then on nothing is added to it
    at_or_first("sent_at"),
    at_or_first("given_up_at"),
    whole("tries"),
    sa.Column("parts_taken", sa.Integer, nullable=False, server_default="0"),  # of one that is sent in several
)

alarm_notices = sa.Table(
    "alarm_notices",
    metadata,
    key(),
    ref("message_id", "alarm_messages", cascade=True),
    ref("alarm_id", "alarms", null=True, cascade=True),
    text("event"),
    sa.Column("content", sa.JSON, nullable=False),  # what is told, as it was known then
    at_or_first("created_at", null=False),
)

alarm_attempts = sa.Table(
    "alarm_attempts",
    metadata,
    key(),
    ref("message_id", "alarm_messages", cascade=True),
    at_or_first("at", null=False),
    flag("ok"),
    text("outcome"),
)
