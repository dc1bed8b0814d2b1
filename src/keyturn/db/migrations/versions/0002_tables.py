"""Tables of the first release, part 2. Written by scripts/first_migration.py."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _sessions()
    _universal_auths()
    _client_secrets()
    _oauth_tokens()
    _rotations()
    _credentials()
    _observed_keys()
    _run_steps()
    _runs()
    _triggers()


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("pending", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_sessions_digest")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)


def _universal_auths() -> None:
    op.create_table(
        "universal_auths",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("identity_id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("access_token_ttl", sa.Integer(), server_default="2592000", nullable=False),
        sa.Column("access_token_max_ttl", sa.Integer(), server_default="2592000", nullable=False),
        sa.Column("access_token_uses_limit", sa.Integer(), server_default="0", nullable=False),
        sa.Column("access_token_period", sa.Integer(), server_default="0", nullable=False),
        sa.Column("client_secret_trusted_ips", sa.JSON(), nullable=False),
        sa.Column("access_token_trusted_ips", sa.JSON(), nullable=False),
        sa.Column("lockout_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("lockout_threshold", sa.Integer(), server_default="3", nullable=False),
        sa.Column("lockout_seconds", sa.Integer(), server_default="300", nullable=False),
        sa.Column("lockout_reset_seconds", sa.Integer(), server_default="30", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identities.id"], name=op.f("fk_universal_auths_identity_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_universal_auths")),
        sa.UniqueConstraint("client_id", name=op.f("uq_universal_auths_client_id")),
        sa.UniqueConstraint("identity_id", name=op.f("uq_universal_auths_identity_id")),
    )


def _client_secrets() -> None:
    op.create_table(
        "client_secrets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("universal_auth_id", sa.String(length=36), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("prefix", sa.String(length=4), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("uses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("uses_limit", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ttl", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revoked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["universal_auth_id"],
            ["universal_auths.id"],
            name=op.f("fk_client_secrets_universal_auth_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_secrets")),
    )
    op.create_index(op.f("ix_client_secrets_prefix"), "client_secrets", ["prefix"], unique=False)
    op.create_index(op.f("ix_client_secrets_universal_auth_id"), "client_secrets", ["universal_auth_id"], unique=False)


def _oauth_tokens() -> None:
    op.create_table(
        "oauth_tokens",
        sa.Column("connection_id", sa.String(length=36), nullable=False),
        sa.Column("refresh_token", sa.Text(), nullable=False),
        sa.Column("refresh_token_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refresh_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["app_connections.id"], name=op.f("fk_oauth_tokens_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_oauth_tokens")),
    )
    op.create_index(op.f("ix_oauth_tokens_refresh_due_at"), "oauth_tokens", ["refresh_due_at"], unique=False)


def _rotations() -> None:
    op.create_table(
        "rotations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.String(length=36), nullable=True),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cloud", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("app_id", sa.Text(), nullable=False),
        sa.Column("object_id", sa.String(length=36), nullable=False),
        sa.Column("application_name", sa.Text(), nullable=False),
        sa.Column("interval_days", sa.Integer(), server_default="30", nullable=False),
        sa.Column("at_hour", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at_minute", sa.Integer(), server_default="0", nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("retired", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("credential_kind", sa.Text(), nullable=False),
        sa.Column("lifetime_days", sa.Integer(), nullable=True),
        sa.Column("short_lifetime", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("overlap", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("anchor", sa.JSON(), nullable=True),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sweep_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("last_message", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["app_connections.id"], name=op.f("fk_rotations_connection_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_rotations_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotations")),
    )
    op.create_index(op.f("ix_rotations_connection_id"), "rotations", ["connection_id"], unique=False)
    op.create_index(op.f("ix_rotations_object_id"), "rotations", ["object_id"], unique=False)
    op.create_index(op.f("ix_rotations_org_id"), "rotations", ["org_id"], unique=False)
    op.create_index(op.f("ix_rotations_wake_at"), "rotations", ["wake_at"], unique=False)


def _credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("rotation_id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("object_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("adopted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("marker", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=36), nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ask_token", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ask_unknown", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("absences", sa.Integer(), server_default="0", nullable=False),
        sa.Column("absent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proofs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("proof_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("proof_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoke_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proven_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_by", sa.String(length=36), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["rotation_id"], ["rotations.id"], name=op.f("fk_credentials_rotation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
    )
    op.create_index(op.f("ix_credentials_key_id"), "credentials", ["key_id"], unique=False)
    op.create_index(op.f("ix_credentials_object_id"), "credentials", ["object_id"], unique=False)
    op.create_index("ix_credentials_object_id_marker", "credentials", ["object_id", "marker"], unique=False)
    op.create_index(op.f("ix_credentials_rotation_id"), "credentials", ["rotation_id"], unique=False)
    op.create_index(op.f("ix_credentials_run_id"), "credentials", ["run_id"], unique=False)


def _observed_keys() -> None:
    op.create_table(
        "observed_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("rotation_id", sa.String(length=36), nullable=False),
        sa.Column("key_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ours", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["rotation_id"], ["rotations.id"], name=op.f("fk_observed_keys_rotation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observed_keys")),
        sa.UniqueConstraint("rotation_id", "key_id", name=op.f("uq_observed_keys_rotation_id_key_id")),
    )
    op.create_index(op.f("ix_observed_keys_rotation_id"), "observed_keys", ["rotation_id"], unique=False)


def _run_steps() -> None:
    op.create_table(
        "run_steps",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("rotation_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("credential_id", sa.String(length=36), nullable=True),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("repeats", sa.Integer(), server_default="1", nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["rotation_id"], ["rotations.id"], name=op.f("fk_run_steps_rotation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_steps")),
    )
    op.create_index(op.f("ix_run_steps_rotation_id"), "run_steps", ["rotation_id"], unique=False)
    op.create_index(op.f("ix_run_steps_run_id"), "run_steps", ["run_id"], unique=False)


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("rotation_id", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.JSON(), nullable=True),
        sa.Column("slot_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("inspected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["rotation_id"], ["rotations.id"], name=op.f("fk_runs_rotation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(
        "ix_runs_one_active",
        "runs",
        ["rotation_id"],
        unique=True,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_index(op.f("ix_runs_rotation_id"), "runs", ["rotation_id"], unique=False)


# Written out, not imported: what a migration did must not change when the code does.
SQLITE = (
    """CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END""",
    """CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END""",
)
POSTGRESQL = (
    """CREATE FUNCTION keyturn_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit events cannot be changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE ON audit_events
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION keyturn_refuse_audit_change()""",
)


def _triggers() -> None:
    connection = op.get_bind()
    for statement in POSTGRESQL if connection.dialect.name == "postgresql" else SQLITE:
        connection.exec_driver_sql(statement)
