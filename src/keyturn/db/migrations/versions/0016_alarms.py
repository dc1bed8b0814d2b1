"""Connections and secret rotations have owners; alarms are told in messages through channels, with each attempt."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _alarm_evaluations()
    _alarm_rules()
    _alarms()
    _alarm_channels()
    _alarm_messages()
    _alarm_attempts()
    _alarm_notices()
    _owners()


def _alarm_evaluations() -> None:
    op.create_table(
        "alarm_evaluations",
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_alarm_evaluations_org_id")),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_alarm_evaluations")),
    )
    op.create_index(op.f("ix_alarm_evaluations_due_at"), "alarm_evaluations", ["due_at"], unique=False)


def _alarm_rules() -> None:
    op.create_table(
        "alarm_rules",
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("days", sa.JSON(), nullable=False),
        sa.Column("reaction_days", sa.Integer(), server_default="3", nullable=False),
        sa.Column("reminder_days", sa.Integer(), server_default="7", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_alarm_rules_org_id")),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_alarm_rules")),
    )


def _alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("condition_key", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("place", sa.JSON(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("fix", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("silence", sa.Text(), nullable=True),
        sa.Column("silence_by", sa.Text(), nullable=True),
        sa.Column("silence_reason", sa.Text(), nullable=True),
        sa.Column("silence_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("silence_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_alarms_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index("ix_alarms_in_order", "alarms", ["org_id", "resolved_at", "opened_at"], unique=False)
    op.create_index(op.f("ix_alarms_org_id"), "alarms", ["org_id"], unique=False)
    op.create_index(op.f("ix_alarms_project_id"), "alarms", ["project_id"], unique=False)
    op.create_index(
        "uq_alarms_open",
        "alarms",
        ["org_id", "condition_key"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def _alarm_channels() -> None:
    op.create_table(
        "alarm_channels",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("least", sa.Text(), nullable=False),
        sa.Column("digest_hour", sa.Integer(), server_default="8", nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_alarm_channels_org_id")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_alarm_channels_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_channels")),
        sa.UniqueConstraint("org_id", "name", name=op.f("uq_alarm_channels_org_id_name")),
    )
    op.create_index(op.f("ix_alarm_channels_org_id"), "alarm_channels", ["org_id"], unique=False)
    op.create_index(op.f("ix_alarm_channels_project_id"), "alarm_channels", ["project_id"], unique=False)


def _alarm_messages() -> None:
    op.create_table(
        "alarm_messages",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.String(length=300), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["alarm_channels.id"], name=op.f("fk_alarm_messages_channel_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_alarm_messages_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_messages")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_alarm_messages_dedup_key")),
    )
    op.create_index(op.f("ix_alarm_messages_channel_id"), "alarm_messages", ["channel_id"], unique=False)
    op.create_index(op.f("ix_alarm_messages_created_at"), "alarm_messages", ["created_at"], unique=False)
    op.create_index(op.f("ix_alarm_messages_due_at"), "alarm_messages", ["due_at"], unique=False)
    op.create_index(op.f("ix_alarm_messages_org_id"), "alarm_messages", ["org_id"], unique=False)


def _alarm_attempts() -> None:
    op.create_table(
        "alarm_attempts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ok", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["alarm_messages.id"], name=op.f("fk_alarm_attempts_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_attempts")),
    )
    op.create_index(op.f("ix_alarm_attempts_message_id"), "alarm_attempts", ["message_id"], unique=False)


def _alarm_notices() -> None:
    op.create_table(
        "alarm_notices",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("alarm_id", sa.String(length=36), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_notices_alarm_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["alarm_messages.id"], name=op.f("fk_alarm_notices_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_notices")),
    )
    op.create_index(op.f("ix_alarm_notices_alarm_id"), "alarm_notices", ["alarm_id"], unique=False)
    op.create_index(op.f("ix_alarm_notices_message_id"), "alarm_notices", ["message_id"], unique=False)


def _owners() -> None:
    op.create_table(
        "owners",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("connection_id", sa.String(length=36), nullable=True),
        sa.Column("secret_rotation_id", sa.String(length=36), nullable=True),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["app_connections.id"], name=op.f("fk_owners_connection_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_owners_org_id")),
        sa.ForeignKeyConstraint(
            ["secret_rotation_id"],
            ["secret_rotations.id"],
            name=op.f("fk_owners_secret_rotation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_owners")),
    )
    op.create_index(op.f("ix_owners_connection_id"), "owners", ["connection_id"], unique=False)
    op.create_index(op.f("ix_owners_org_id"), "owners", ["org_id"], unique=False)
    op.create_index(op.f("ix_owners_secret_rotation_id"), "owners", ["secret_rotation_id"], unique=False)
    op.create_index(op.f("ix_owners_user_id"), "owners", ["user_id"], unique=False)
