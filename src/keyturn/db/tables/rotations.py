"""Rotations, the journal of credentials, runs, leases and who holds them."""

import sqlalchemy as sa

from keyturn.db.columns import at, at_or_first, flag, key, ref, text, whole
from keyturn.db.tables.base import metadata
from keyturn.db.types import SealedText

rotations = sa.Table(
    "rotations",
    metadata,
    key(),
    text("kind"),
    sa.Column("connection_id", sa.String(36), sa.ForeignKey("app_connections.id", ondelete="SET NULL"), index=True),
    ref("org_id", "organizations"),
    sa.Column("project_id", sa.String(36)),
    text("name"),
    text("cloud"),
    text("tenant_id"),
    text("app_id"),
    sa.Column("object_id", sa.String(36), nullable=False, index=True),
    text("application_name"),
    whole("interval_days", 30),
    whole("at_hour"),
    whole("at_minute"),
    text("time_zone"),
    flag("enabled", default=True),
    flag("retired"),
    text("credential_kind"),
    sa.Column("lifetime_days", sa.Integer),
    flag("short_lifetime"),
    text("overlap"),
    whole("generation"),
    sa.Column("anchor", sa.JSON),
    at("next_run_at"),
    at("wake_at", index=True),
    at("sweep_at"),
    at("paused_until"),
    text("status", null=True),
    text("last_message", null=True),
    whole("failures"),
    at("last_attempt_at"),
    at("last_rotated_at"),
    at("created_at", null=False),
    at("updated_at", null=False),
    at("wake_set_at", index=True),  # when wake_at was written, by the clock of who wrote it
    sa.Column("slots", sa.Integer),  # how many secrets the application may hold, as last seen; none: no small limit
    whole("weekdays", 127),  # on which days it may run: Monday is the lowest bit
    whole("moved_days"),  # by so many days at most the next run is later than its slot
    # What rotates an application is asked by its client id, in whatever letters that was entered.
    sa.Index("ix_rotations_app", "cloud", sa.func.lower(sa.literal_column("app_id"))),
    # What needs somebody is found among many rotations that do not.
    sa.Index(
        "ix_rotations_failed",
        "org_id",
        sqlite_where=sa.text("status = 'failed'"),
        postgresql_where=sa.text("status = 'failed'"),
    ),
    sa.Index("ix_rotations_next_run", "org_id", "next_run_at", "interval_days", "last_rotated_at", "enabled", "id"),
)

# On these days nothing is rotated: both included, on the clocks of the time zone.
freeze_windows = sa.Table(
    "freeze_windows",
    metadata,
    key(),
    ref("org_id", "organizations"),
    ref("project_id", "projects", null=True, cascade=True),
    text("name"),
    text("reason"),
    sa.Column("first_day", sa.String(10), nullable=False),
    sa.Column("last_day", sa.String(10), nullable=False),
    text("time_zone"),
    flag("yearly"),
    at("created_at", null=False),
    at("updated_at", null=False),
)

credentials = sa.Table(
    "credentials",
    metadata,
    key(),
    ref("rotation_id", "rotations"),
    text("org_id"),
    sa.Column("object_id", sa.String(36), nullable=False, index=True),
    sa.Column("run_id", sa.String(36), index=True),
    whole("generation"),
    text("state"),
    flag("adopted"),
    sa.Column("marker", sa.Text, nullable=False),
    sa.Column("key_id", sa.String(36), index=True),
    text("hint", null=True),
    sa.Column("value", SealedText),
    at("starts_at"),
    at("ends_at"),
    whole("ask_token"),
    flag("ask_unknown"),
    whole("absences"),
    at("absent_at"),
    whole("proofs"),
    whole("proof_tries"),
    at("proof_at"),
    at("revoke_after"),
    at("removed_at"),
    at("retry_at"),
    whole("tries"),
    at("planned_at"),
    at("asked_at"),
    at("issued_at"),
    at("proven_at"),
    at("published_at"),
    at("retired_at"),
    sa.Column("retired_by", sa.String(36)),
    at("ended_at"),
    text("note", null=True),
    at("not_yet_at"),  # when a replica last refused the new secret
    at("retry_set_at"),  # when retry_at was written
    sa.Column("fingerprint", sa.String(64), index=True),  # as that of connections; of values that were published
    at(
        "wait_ends_at"
    ),  # of one that goes as soon as nobody holds it: how long it waits for those who announced themselves
    at("grace_ends_at"),  # of one that goes only once it is not used any more: until when it is kept in any case
    sa.Index("ix_credentials_object_id_marker", "object_id", "marker"),
    sa.Index(
        "ix_credentials_current",
        "org_id",
        "ends_at",
        "rotation_id",
        "key_id",
        sqlite_where=sa.text("state = 'current'"),
        postgresql_where=sa.text("state = 'current'"),
    ),
    sa.Index(
        "ix_credentials_replaced",
        "org_id",
        "tries",
        "note",
        "revoke_after",
        "retired_at",
        sqlite_where=sa.text("state IN ('retiring', 'revoking', 'lost')"),
        postgresql_where=sa.text("state IN ('retiring', 'revoking', 'lost')"),
    ),
    sa.Index(
        "ix_credentials_waiting",
        "org_id",
        sqlite_where=sa.text("state = 'retiring' AND wait_ends_at IS NOT NULL"),
        postgresql_where=sa.text("state = 'retiring' AND wait_ends_at IS NOT NULL"),
    ),
    # Those that were removed lately, which somebody may still use.
    sa.Index(
        "ix_credentials_revoked",
        "org_id",
        "ended_at",
        sqlite_where=sa.text("state = 'revoked'"),
        postgresql_where=sa.text("state = 'revoked'"),
    ),
    sa.Index(
        "ix_credentials_unmarked",
        "id",
        sqlite_where=sa.text("fingerprint IS NULL AND value IS NOT NULL AND published_at IS NOT NULL"),
        postgresql_where=sa.text("fingerprint IS NULL AND value IS NOT NULL AND published_at IS NOT NULL"),
    ),
)

runs = sa.Table(
    "runs",
    metadata,
    key(),
    ref("rotation_id", "rotations"),
    text("reason"),
    text("state"),
    sa.Column("requested_by", sa.JSON),
    at("slot_at"),
    whole("generation"),
    whole("tries"),
    at("inspected_at"),
    at("retry_at"),
    at("created_at", null=False),
    at("started_at"),
    at("finished_at"),
    sa.Column("failure", sa.JSON),
    at("retry_set_at"),  # when retry_at was written
    at("requested_at"),  # when somebody last asked for it, or joined it
    sa.Index(
        "ix_runs_one_active",
        "rotation_id",
        unique=True,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    ),
)

run_steps = sa.Table(
    "run_steps",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    ref("rotation_id", "rotations"),
    sa.Column("run_id", sa.String(36), index=True),
    sa.Column("credential_id", sa.String(36)),
    text("step"),
    text("outcome"),
    at("started_at", null=False),
    at("finished_at", null=False),
    whole("repeats", 1),
    text("message", null=True),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("object_id", sa.String(80), primary_key=True),
    text("holder", null=True),
    sa.Column("token", sa.BigInteger, nullable=False),
    at_or_first("expires_at", null=False),
)

observed_keys = sa.Table(
    "observed_keys",
    metadata,
    key(),
    ref("rotation_id", "rotations", cascade=True),
    sa.Column("key_id", sa.String(36), nullable=False),
    text("name", null=True),
    text("hint", null=True),
    at("starts_at"),
    at("ends_at"),
    flag("ours"),
    at("first_seen_at", null=False),
    at("gone_at"),
    sa.UniqueConstraint("rotation_id", "key_id"),
    sa.Index(
        "ix_observed_keys_foreign",
        "first_seen_at",
        sqlite_where=sa.text("ours IS 0 AND gone_at IS NULL"),
        postgresql_where=sa.text("ours IS false AND gone_at IS NULL"),
    ),
)

processes = sa.Table(
    "processes",
    metadata,
    key(),
    text("host"),
    whole("pid"),
    at_or_first("started_at", null=False),
    at_or_first("seen_at", null=False),  # in no index: PostgreSQL writes it in its place then, every few seconds
)

# Who has which credential. What somebody showed of it is kept as long as the credential may work, and for a while after.
credential_uses = sa.Table(
    "credential_uses",
    metadata,
    sa.Column("credential_id", sa.String(36), primary_key=True),
    sa.Column("caller_kind", sa.String(20), primary_key=True),
    sa.Column("caller_id", sa.String(36), primary_key=True),
    sa.Column("instance", sa.String(128), primary_key=True),
    text("address", null=True),
    sa.Column("refresh_seconds", sa.Integer),
    at("first_at", null=False),
    at("read_at"),
    at("acknowledged_at"),
    at_or_first("last_at", null=False, index=True),
)
