"""Who may do what, and where: organizations, people, machine identities, sessions, projects."""

import sqlalchemy as sa

from keyturn.db.columns import at_or_first, flag, key, ref, text, whole
from keyturn.db.tables.base import metadata
from keyturn.db.types import DigestText, SealedText

setup_codes = sa.Table(
    "setup_codes",
    metadata,
    key(),  # one row at most, until the server is set up
    text("salt", null=True),  # what the code is derived from; null: it was given by the operator
    sa.Column("derived", DigestText),
    sa.Column("digest", DigestText, nullable=False),
    whole("failures"),
    at_or_first("made_at", null=False),
)

organizations = sa.Table(
    "organizations",
    metadata,
    key(),
    text("name"),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    flag("second_factor_required"),  # whoever signs in with a password has to set one up first
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
    at_or_first("last_failure_at"),
    at_or_first("locked_until"),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    flag("first_password"),  # somebody else knows it: it has to be changed at the next sign-in
    at_or_first("disabled_at"),  # since when they can not sign in; none: they can
    at_or_first("last_signed_in_at"),
)

password_links = sa.Table(
    "password_links",
    metadata,
    key(),
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="SET NULL"), index=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    text("purpose"),
    at_or_first("created_at", null=False),
    at_or_first("expires_at", null=False, index=True),
    at_or_first("used_at"),
    at_or_first("revoked_at"),  # or another one took its place
    text("made_by_kind", null=True),  # none: by a version that did not write it down
    sa.Column("made_by_id", sa.String(36)),
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
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
)

# The people who made a machine identity or a way for it to sign in: they approve nothing that it asks for.
identity_makers = sa.Table(
    "identity_makers",
    metadata,
    sa.Column("identity_id", sa.String(36), sa.ForeignKey("identities.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
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
    at_or_first("last_failure_at"),
    at_or_first("locked_until"),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.Column(
        "failed_from", sa.JSON, nullable=False, default=list, server_default="[]"
    ),  # networks, since the last success
)

token_auths = sa.Table(
    "token_auths",
    metadata,
    key(),
    ref("identity_id", "identities", cascade=True),
    text("method"),
    sa.Column("binding", sa.JSON, nullable=False, default=dict),  # what its tokens must say
    whole("access_token_ttl", 2592000),
    whole("access_token_max_ttl", 2592000),
    whole("access_token_uses_limit"),
    sa.Column("access_token_trusted_ips", sa.JSON, nullable=False, default=list),
    sa.Column("reviewer_token", SealedText),  # with which an API server is asked about others
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.UniqueConstraint("identity_id", "method"),
)

client_secrets = sa.Table(
    "client_secrets",
    metadata,
    key(),
    ref("universal_auth_id", "universal_auths", cascade=True),
    text("description"),
    sa.Column("prefix", sa.String(4), nullable=False, index=True),
    sa.Column("hash", DigestText, nullable=False),
    whole("uses"),
    whole("uses_limit"),
    whole("ttl"),
    flag("revoked"),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
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
    at_or_first("expires_at"),
    at_or_first("renewable_until"),
    at_or_first("revoked_at"),
    at_or_first("last_used_at"),
    at_or_first("created_at", null=False),
    whole("wrong_guesses"),  # at the password or code of its owner, made with it
    sa.Column("token_auth_id", sa.String(36), index=True),
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
    at_or_first("created_at", null=False),
    at_or_first("seen_at", null=False),
    whole("wrong_guesses"),  # at the password or code of its owner, made with it
    sa.Column("method", sa.Text, nullable=False, default="password", server_default="password"),  # or "entra"
)

# Who a user is to somebody who vouches for them: a tenant of Entra ID, or a client that provisions users.
people_external_identities = sa.Table(
    "people_external_identities",
    metadata,
    key(),
    ref("user_id", "users", cascade=True),
    text("issuer"),
    text("subject"),
    at_or_first("created_at", null=False),
    sa.UniqueConstraint("issuer", "subject"),
)

# Sign-ins by browser that have succeeded, kept until their answer is too old to be sent again.
used_sign_ins = sa.Table(
    "used_sign_ins",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    at_or_first("used_at", null=False, index=True),
)

second_factors = sa.Table(
    "second_factors",
    metadata,
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("secret", SealedText, nullable=False),
    sa.Column("last_counter", sa.BigInteger, nullable=False),  # the newest 30 seconds whose code was taken
    sa.Column("recovery", sa.JSON, nullable=False, default=list),
    at_or_first("confirmed_at"),
    at_or_first("created_at", null=False),
)

projects = sa.Table(
    "projects",
    metadata,
    key(),
    ref("org_id", "organizations"),
    text("name"),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    text("description", null=True),
    flag("has_delete_protection"),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.Column("created_by", sa.String(36), index=True),  # none: not known any more
    sa.Column("audit_retention_days", sa.Integer),  # as a client asked for; it decides nothing
    sa.Column(
        "revision", sa.BigInteger, nullable=False, default=0, server_default="0"
    ),  # the number of the last change
    sa.Column("version_limit", sa.Integer),  # how many versions of a secret are kept; none: as many as the server says
)

# One row at most, which triggers write: see db/access_triggers.py.
access_revisions = sa.Table(
    "access_revisions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

environments = sa.Table(
    "environments",
    metadata,
    key(),
    ref("project_id", "projects", cascade=True),
    text("name"),
    text("slug"),
    whole("position"),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.UniqueConstraint("project_id", "slug"),
)

project_members = sa.Table(
    "project_members",
    metadata,
    key(),
    ref("project_id", "projects", cascade=True),
    sa.Column("identity_id", sa.String(36), sa.ForeignKey("identities.id", ondelete="CASCADE"), index=True),
    sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.UniqueConstraint("project_id", "identity_id"),
    sa.UniqueConstraint("project_id", "user_id"),
)

project_roles = sa.Table(
    "project_roles",
    metadata,
    key(),
    sa.Column("project_id", sa.String(36), sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    text("slug"),
    text("name"),
    text("description"),
    sa.Column("permissions", sa.JSON, nullable=False),  # as clients write them
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.UniqueConstraint("project_id", "slug"),
)

project_member_roles = sa.Table(
    "project_member_roles",
    metadata,
    key(),
    ref("member_id", "project_members", cascade=True),
    text("role", null=True),  # a built-in one; none: that of the next column
    ref("role_id", "project_roles", null=True),
    text("temporary_range", null=True),  # as it was asked for; the moments say what it means
    at_or_first("starts_at"),
    at_or_first("ends_at"),  # none: it has no end
    at_or_first("created_at", null=False),
    flag("by_group"),  # a group of the person gives it, and takes it
)

# What members of a group have: a role in the organization, or in a project.
group_roles = sa.Table(
    "group_roles",
    metadata,
    key(),
    ref("org_id", "organizations"),
    text("group_id"),
    text("group_name"),
    ref("project_id", "projects", null=True, cascade=True),  # none: the role is one in the organization
    text("role", null=True),  # a built-in one; none: that of the next column
    ref("role_id", "project_roles", null=True, cascade=True),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
)
