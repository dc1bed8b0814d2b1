"""The tables. Stores write the SQL; nobody else imports this."""

import sqlalchemy as sa

from keyturn.db.types import Moment, SealedText

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id(name: str = "id") -> sa.Column[str]:
    return sa.Column(name, sa.String(36), primary_key=True)


def _ref(name: str, target: str, *, null: bool = False, cascade: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey(f"{target}.id", ondelete="CASCADE" if cascade else None)
    return sa.Column(name, sa.String(36), key, nullable=null, index=True)


def _at(name: str, *, null: bool = True, index: bool = False) -> sa.Column[object]:
    return sa.Column(name, Moment, nullable=null, index=index)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _int(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, default=default, server_default=str(default))


def _flag(name: str, *, default: bool = False) -> sa.Column[bool]:
    return sa.Column(
        name, sa.Boolean, nullable=False, default=default, server_default=sa.true() if default else sa.false()
    )


# --- keys -----------------------------------------------------------------------------------------------------------

data_keys = sa.Table(
    "data_keys",
    metadata,
    _id(),
    _text("root_key_id"),
    _text("wrapped"),
    _at("created_at", null=False),
    _at("retired_at"),
    sa.Column("seals", sa.BigInteger, nullable=False, default=0, server_default="0"),  # how many values, roughly
)

# --- access ---------------------------------------------------------------------------------------------------------

organizations = sa.Table(
    "organizations",
    metadata,
    _id(),
    _text("name"),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    _at("created_at", null=False),
    _at("updated_at", null=False),
)

users = sa.Table(
    "users",
    metadata,
    _id(),
    _ref("org_id", "organizations"),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    _text("first_name"),
    _text("last_name"),
    _text("password_hash"),
    _text("role"),
    _flag("super_admin"),
    _int("failures"),
    _at("last_failure_at"),
    _at("locked_until"),
    _at("created_at", null=False),
    _at("updated_at", null=False),
)

identities = sa.Table(
    "identities",
    metadata,
    _id(),
    _ref("org_id", "organizations"),
    _text("name"),
    _text("role"),
    _flag("has_delete_protection"),
    sa.Column("metadata", sa.JSON, nullable=False, default=list),
    _at("created_at", null=False),
    _at("updated_at", null=False),
)

universal_auths = sa.Table(
    "universal_auths",
    metadata,
    _id(),
    sa.Column(
        "identity_id", sa.String(36), sa.ForeignKey("identities.id", ondelete="CASCADE"), nullable=False, unique=True
    ),
    sa.Column("client_id", sa.String(36), nullable=False, unique=True),
    _int("access_token_ttl", 2592000),
    _int("access_token_max_ttl", 2592000),
    _int("access_token_uses_limit"),
    _int("access_token_period"),
    sa.Column("client_secret_trusted_ips", sa.JSON, nullable=False, default=list),
    sa.Column("access_token_trusted_ips", sa.JSON, nullable=False, default=list),
    _flag("lockout_enabled", default=True),
    _int("lockout_threshold", 3),
    _int("lockout_seconds", 300),
    _int("lockout_reset_seconds", 30),
    _int("failures"),
    _at("last_failure_at"),
    _at("locked_until"),
    _at("created_at", null=False),
    _at("updated_at", null=False),
)

client_secrets = sa.Table(
    "client_secrets",
    metadata,
    _id(),
    _ref("universal_auth_id", "universal_auths", cascade=True),
    _text("description"),
    sa.Column("prefix", sa.String(4), nullable=False, index=True),
    _text("hash"),
    _int("uses"),
    _int("uses_limit"),
    _int("ttl"),
    _flag("revoked"),
    _at("created_at", null=False),
    _at("updated_at", null=False),
)

access_tokens = sa.Table(
    "access_tokens",
    metadata,
    _id(),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("identity_id", sa.String(36), sa.ForeignKey("identities.id", ondelete="CASCADE"), index=True),
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    sa.Column("client_secret_id", sa.String(36), index=True),
    _int("ttl"),
    _int("uses"),
    _int("uses_limit"),
    _at("expires_at"),
    _at("renewable_until"),
    _at("revoked_at"),
    _at("last_used_at"),
    _at("created_at", null=False),
)

# --- projects -------------------------------------------------------------------------------------------------------

projects = sa.Table(
    "projects",
    metadata,
    _id(),
    _ref("org_id", "organizations"),
    _text("name"),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    _text("description", null=True),
    _flag("has_delete_protection"),
    _at("created_at", null=False),
    _at("updated_at", null=False),
)

environments = sa.Table(
    "environments",
    metadata,
    _id(),
    _ref("project_id", "projects", cascade=True),
    _text("name"),
    _text("slug"),
    _int("position"),
    _at("created_at", null=False),
    _at("updated_at", null=False),
    sa.UniqueConstraint("project_id", "slug"),
)

project_members = sa.Table(
    "project_members",
    metadata,
    _id(),
    _ref("project_id", "projects", cascade=True),
    sa.Column("identity_id", sa.String(36), sa.ForeignKey("identities.id", ondelete="CASCADE"), index=True),
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    _text("role"),
    _at("created_at", null=False),
    _at("updated_at", null=False),
    sa.UniqueConstraint("project_id", "identity_id"),
    sa.UniqueConstraint("project_id", "user_id"),
)

# --- connections ----------------------------------------------------------------------------------------------------

app_connections = sa.Table(
    "app_connections",
    metadata,
    _id(),
    _ref("org_id", "organizations"),
    _ref("project_id", "projects", null=True, cascade=True),
    sa.Column("scope", sa.String(36), nullable=False),  # the project's id or the organization's: names are unique in it
    _text("name"),
    _text("description", null=True),
    _text("app"),
    _text("method"),
    _text("cloud"),
    _text("tenant_id"),
    _text("client_id"),
    sa.Column("secret", SealedText, nullable=False),
    _int("secret_version", 1),
    _text("credentials_hash"),
    _int("version", 1),
    _at("checked_at"),
    sa.Column("check_result", sa.JSON),
    _at("created_at", null=False),
    _at("updated_at", null=False),
    sa.UniqueConstraint("scope", "name"),
)

# --- rotations and the journal --------------------------------------------------------------------------------------

rotations = sa.Table(
    "rotations",
    metadata,
    _id(),
    _text("kind"),
    sa.Column("connection_id", sa.String(36), sa.ForeignKey("app_connections.id", ondelete="SET NULL"), index=True),
    _ref("org_id", "organizations"),
    sa.Column("project_id", sa.String(36)),
    _text("name"),
    _text("cloud"),
    _text("tenant_id"),
    _text("app_id"),
    sa.Column("object_id", sa.String(36), nullable=False, index=True),
    _text("application_name"),
    _int("interval_days", 30),
    _int("at_hour"),
    _int("at_minute"),
    _text("time_zone"),
    _flag("enabled", default=True),
    _flag("retired"),
    sa.Column("lifetime_days", sa.Integer),
    _flag("short_lifetime"),
    _text("overlap"),
    _int("generation"),
    sa.Column("anchor", sa.JSON),
    _at("next_run_at"),
    _at("wake_at", index=True),
    _at("sweep_at"),
    _at("paused_until"),
    _text("status", null=True),
    _text("last_message", null=True),
    _int("failures"),
    _at("last_attempt_at"),
    _at("last_rotated_at"),
    _at("created_at", null=False),
    _at("updated_at", null=False),
)

credentials = sa.Table(
    "credentials",
    metadata,
    _id(),
    _ref("rotation_id", "rotations"),
    _text("org_id"),
    sa.Column("object_id", sa.String(36), nullable=False, index=True),
    sa.Column("run_id", sa.String(36), index=True),
    _int("generation"),
    _text("state"),
    _flag("adopted"),
    sa.Column("marker", sa.Text, nullable=False),
    sa.Column("key_id", sa.String(36), index=True),
    _text("hint", null=True),
    sa.Column("value", SealedText),
    _at("starts_at"),
    _at("ends_at"),
    _int("ask_token"),
    _flag("ask_unknown"),
    _int("absences"),
    _at("absent_at"),
    _int("proofs"),
    _int("proof_tries"),
    _at("proof_at"),
    _at("revoke_after"),
    _at("removed_at"),
    _at("retry_at"),
    _int("tries"),
    _at("planned_at"),
    _at("asked_at"),
    _at("issued_at"),
    _at("proven_at"),
    _at("published_at"),
    _at("retired_at"),
    sa.Column("retired_by", sa.String(36)),
    _at("ended_at"),
    _text("note", null=True),
    sa.Index("ix_credentials_object_id_marker", "object_id", "marker"),
)

runs = sa.Table(
    "runs",
    metadata,
    _id(),
    _ref("rotation_id", "rotations"),
    _text("reason"),
    _text("state"),
    sa.Column("requested_by", sa.JSON),
    _at("slot_at"),
    _int("generation"),
    _int("tries"),
    _at("inspected_at"),
    _at("retry_at"),
    _at("created_at", null=False),
    _at("started_at"),
    _at("finished_at"),
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
    _ref("rotation_id", "rotations"),
    sa.Column("run_id", sa.String(36), index=True),
    sa.Column("credential_id", sa.String(36)),
    _text("step"),
    _text("outcome"),
    _at("started_at", null=False),
    _at("finished_at", null=False),
    _int("repeats", 1),
    _text("message", null=True),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("object_id", sa.String(80), primary_key=True),
    _text("holder", null=True),
    sa.Column("token", sa.BigInteger, nullable=False),
    _at("expires_at", null=False),
)

observed_keys = sa.Table(
    "observed_keys",
    metadata,
    _id(),
    _ref("rotation_id", "rotations", cascade=True),
    sa.Column("key_id", sa.String(36), nullable=False),
    _text("name", null=True),
    _text("hint", null=True),
    _at("starts_at"),
    _at("ends_at"),
    _flag("ours"),
    _at("first_seen_at", null=False),
    _at("gone_at"),
    sa.UniqueConstraint("rotation_id", "key_id"),
)

processes = sa.Table(
    "processes",
    metadata,
    _id(),
    _text("host"),
    _int("pid"),
    _at("started_at", null=False),
    _at("seen_at", null=False, index=True),
)

# --- audit ----------------------------------------------------------------------------------------------------------

audit_events = sa.Table(
    "audit_events",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _at("at", null=False, index=True),
    sa.Column("org_id", sa.String(36), index=True),
    sa.Column("project_id", sa.String(36)),
    _text("actor_kind"),
    sa.Column("actor_id", sa.String(36)),
    _text("actor_name", null=True),
    _text("event"),
    _text("subject_kind"),
    sa.Column("subject_id", sa.String(36), index=True),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("once", sa.Text, unique=True),  # at most one event for this key, e.g. the end of one run
    _text("request_id", null=True),
)
