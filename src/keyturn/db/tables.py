"""The tables. Stores write the SQL; nobody else imports this."""

import sqlalchemy as sa

from keyturn.db.columns import at, flag, key, ref, text, whole
from keyturn.db.types import SealedText

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


# --- keys -----------------------------------------------------------------------------------------------------------

data_keys = sa.Table(
    "data_keys",
    metadata,
    key(),
    text("root_key_id"),
    text("wrapped"),
    at("created_at", null=False),
    at("retired_at"),
    sa.Column("seals", sa.BigInteger, nullable=False, default=0, server_default="0"),  # how many values, roughly
)

# --- access ---------------------------------------------------------------------------------------------------------

organizations = sa.Table(
    "organizations",
    metadata,
    key(),
    text("name"),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    at("created_at", null=False),
    at("updated_at", null=False),
)

users = sa.Table(
    "users",
    metadata,
    key(),
    ref("org_id", "organizations"),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    text("first_name"),
    text("last_name"),
    text("password_hash"),
    text("role"),
    flag("super_admin"),
    whole("failures"),
    at("last_failure_at"),
    at("locked_until"),
    at("created_at", null=False),
    at("updated_at", null=False),
)

identities = sa.Table(
    "identities",
    metadata,
    key(),
    ref("org_id", "organizations"),
    text("name"),
    text("role"),
    flag("has_delete_protection"),
    sa.Column("metadata", sa.JSON, nullable=False, default=list),
    at("created_at", null=False),
    at("updated_at", null=False),
)

universal_auths = sa.Table(
    "universal_auths",
    metadata,
    key(),
    sa.Column(
        "identity_id", sa.String(36), sa.ForeignKey("identities.id", ondelete="CASCADE"), nullable=False, unique=True
    ),
    sa.Column("client_id", sa.String(36), nullable=False, unique=True),
    whole("access_token_ttl", 2592000),
    whole("access_token_max_ttl", 2592000),
    whole("access_token_uses_limit"),
    whole("access_token_period"),
    sa.Column("client_secret_trusted_ips", sa.JSON, nullable=False, default=list),
    sa.Column("access_token_trusted_ips", sa.JSON, nullable=False, default=list),
    flag("lockout_enabled", default=True),
    whole("lockout_threshold", 3),
    whole("lockout_seconds", 300),
    whole("lockout_reset_seconds", 30),
    whole("failures"),
    at("last_failure_at"),
    at("locked_until"),
    at("created_at", null=False),
    at("updated_at", null=False),
)

client_secrets = sa.Table(
    "client_secrets",
    metadata,
    key(),
    ref("universal_auth_id", "universal_auths", cascade=True),
    text("description"),
    sa.Column("prefix", sa.String(4), nullable=False, index=True),
    text("hash"),
    whole("uses"),
    whole("uses_limit"),
    whole("ttl"),
    flag("revoked"),
    at("created_at", null=False),
    at("updated_at", null=False),
)

access_tokens = sa.Table(
    "access_tokens",
    metadata,
    key(),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("identity_id", sa.String(36), sa.ForeignKey("identities.id", ondelete="CASCADE"), index=True),
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    sa.Column("client_secret_id", sa.String(36), index=True),
    whole("ttl"),
    whole("uses"),
    whole("uses_limit"),
    at("expires_at"),
    at("renewable_until"),
    at("revoked_at"),
    at("last_used_at"),
    at("created_at", null=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    key(),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    ref("user_id", "users", cascade=True),
    flag("pending"),  # the password was right, the code is still to come
    text("ip"),
    text("user_agent"),
    at("created_at", null=False),
    at("seen_at", null=False),
)

second_factors = sa.Table(
    "second_factors",
    metadata,
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("secret", SealedText, nullable=False),
    sa.Column("last_counter", sa.BigInteger, nullable=False),  # the newest 30 seconds whose code was taken
    sa.Column("recovery", sa.JSON, nullable=False, default=list),
    at("confirmed_at"),
    at("created_at", null=False),
)

# --- projects -------------------------------------------------------------------------------------------------------

projects = sa.Table(
    "projects",
    metadata,
    key(),
    ref("org_id", "organizations"),
    text("name"),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    text("description", null=True),
    flag("has_delete_protection"),
    at("created_at", null=False),
    at("updated_at", null=False),
)

environments = sa.Table(
    "environments",
    metadata,
    key(),
    ref("project_id", "projects", cascade=True),
    text("name"),
    text("slug"),
    whole("position"),
    at("created_at", null=False),
    at("updated_at", null=False),
    sa.UniqueConstraint("project_id", "slug"),
)

project_members = sa.Table(
    "project_members",
    metadata,
    key(),
    ref("project_id", "projects", cascade=True),
    sa.Column("identity_id", sa.String(36), sa.ForeignKey("identities.id", ondelete="CASCADE"), index=True),
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    text("role"),
    at("created_at", null=False),
    at("updated_at", null=False),
    sa.UniqueConstraint("project_id", "identity_id"),
    sa.UniqueConstraint("project_id", "user_id"),
)

# --- connections ----------------------------------------------------------------------------------------------------

app_connections = sa.Table(
    "app_connections",
    metadata,
    key(),
    ref("org_id", "organizations"),
    ref("project_id", "projects", null=True, cascade=True),
    sa.Column("scope", sa.String(36), nullable=False),  # the project's id or the organization's: names are unique in it
    text("name"),
    text("description", null=True),
    text("app"),
    text("method"),
    text("cloud"),
    text("tenant_id"),
    text("client_id"),
    sa.Column("secret", SealedText, nullable=False),
    whole("secret_version", 1),
    text("credentials_hash"),
    whole("version", 1),
    at("checked_at"),
    sa.Column("check_result", sa.JSON),
    at("ends_at"),  # when the credentials end by themselves: a certificate's last moment
    sa.Column("facts", sa.JSON),  # what may be shown of the credentials: a thumbprint, an account
    at("created_at", null=False),
    at("updated_at", null=False),
    sa.UniqueConstraint("scope", "name"),
)

oauth_tokens = sa.Table(
    "oauth_tokens",
    metadata,
    sa.Column(
        "connection_id", sa.String(36), sa.ForeignKey("app_connections.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("refresh_token", SealedText, nullable=False),
    whole("refresh_token_version", 1),
    at("refreshed_at", null=False),
    at("refresh_due_at", index=True),  # none: only a person can help
)

oauth_flows = sa.Table(
    "oauth_flows",
    metadata,
    key(),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),  # of the state, which is not stored
    text("binding"),  # digest of whose browser session it is
    text("actor_kind"),
    text("actor_id"),
    ref("org_id", "organizations"),
    sa.Column("payload", SealedText),  # forgotten when the flow ends
    at("expires_at", null=False, index=True),
    at("ended_at"),
    at("created_at", null=False),
)

# --- rotations and the journal --------------------------------------------------------------------------------------

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
    sa.Index("ix_credentials_object_id_marker", "object_id", "marker"),
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
    at("expires_at", null=False),
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
)

processes = sa.Table(
    "processes",
    metadata,
    key(),
    text("host"),
    whole("pid"),
    at("started_at", null=False),
    at("seen_at", null=False, index=True),
)

# --- audit ----------------------------------------------------------------------------------------------------------

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
