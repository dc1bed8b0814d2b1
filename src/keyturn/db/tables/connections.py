"""App connections and what OAuth needs beside them."""

import sqlalchemy as sa

from keyturn.db.columns import at, at_or_first, flag, key, ref, text, whole
from keyturn.db.tables.base import metadata
from keyturn.db.types import SealedText

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
    at("look_at", index=True),  # when the server tries by itself whether the connection still works
    at("published_at"),  # since when it has the credential that it signs in with
    at("refused_at"),  # since when the provider refuses the connection; none: it does not
    sa.Column("refusal", sa.JSON),  # code, message and fix
    # A keyed digest of the credential, by which all connections that hold the same one are found; of which version it is.
    sa.Column("fingerprint", sa.String(64), index=True),
    whole("fingerprint_version"),
    # Where a rotation keeps the credential: no copy is in `secret` then. Rows of the journal are never deleted.
    sa.Column("credential_id", sa.String(36), index=True),
    sa.Column(
        "salt", SealedText
    ),  # of credentials_hash; none: still inside `secret`, as versions before this column wrote it
    flag("rotates_owned"),  # whether every application that its principal owns may be rotated through it
    at("secret_ends_at"),  # when the secret ends, as the provider lists it; none: not known, or a rotation knows it
    at("unreached_since"),  # since when it cannot be found out whether the provider takes it; none: it can
    sa.UniqueConstraint("scope", "name"),
    sa.Index(
        "ix_app_connections_salt_inside",
        "id",
        sqlite_where=sa.text("salt IS NULL"),
        postgresql_where=sa.text("salt IS NULL"),
    ),
    sa.Index(
        "ix_app_connections_unmarked",
        "id",
        sqlite_where=sa.text("fingerprint_version <> secret_version"),
        postgresql_where=sa.text("fingerprint_version <> secret_version"),
    ),
    # What needs somebody is found among many connections that do not.
    sa.Index(
        "ix_app_connections_refused",
        "org_id",
        sqlite_where=sa.text("refused_at IS NOT NULL"),
        postgresql_where=sa.text("refused_at IS NOT NULL"),
    ),
    sa.Index("ix_app_connections_ends", "org_id", "ends_at"),
    sa.Index("ix_app_connections_secret_ends", "org_id", "secret_ends_at"),
    sa.Index("ix_app_connections_checked", "org_id", "checked_at"),
    # Who signs in as an application is asked by its client id, in whatever letters that was entered.
    sa.Index("ix_app_connections_client", "cloud", sa.func.lower(sa.literal_column("client_id"))),
    # Pages of a list come in order without sorting, and how many there are is counted in the index alone.
    sa.Index("ix_app_connections_in_order", "org_id", "app", "name", "id", "project_id"),
)

oauth_tokens = sa.Table(
    "oauth_tokens",
    metadata,
    sa.Column(
        "connection_id", sa.String(36), sa.ForeignKey("app_connections.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("refresh_token", SealedText, nullable=False),
    whole("refresh_token_version", 1),
    at_or_first("refreshed_at", null=False),
    at_or_first("refresh_due_at", index=True),  # none: only a person can help
    # Who signed in, by id and address: they may have left meanwhile. None: not known, or no person.
    sa.Column("signed_in_by", sa.String(36), index=True),
    text("signed_in_email", null=True),
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
    at_or_first("expires_at", null=False, index=True),
    at_or_first("ended_at"),
    at_or_first("created_at", null=False),
)
