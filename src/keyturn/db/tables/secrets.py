"""Folders, secrets and their versions, tags, imports, and the feed of what changed."""

import sqlalchemy as sa

from keyturn.db.columns import at, at_or_first, flag, key, ref, text, whole
from keyturn.db.tables.base import metadata
from keyturn.db.types import SealedText


def _first_of_a_key(name: str, target: str, *, cascade: bool = True) -> sa.Column[str]:
    """A reference that needs no index of its own: a unique key of the table begins with it."""
    target_key = sa.ForeignKey(f"{target}.id", ondelete="CASCADE" if cascade else None)
    return sa.Column(name, sa.String(36), target_key, nullable=False)


def _revision(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, default=0, server_default="0")


secret_folders = sa.Table(
    "secret_folders",
    metadata,
    key(),
    _first_of_a_key("environment_id", "environments"),
    ref("parent_id", "secret_folders", null=True, cascade=True),  # none: the root, which is made with the first write
    text("path"),
    text("name"),
    text("description", null=True),
    whole("version", 1),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.UniqueConstraint("environment_id", "path"),
)

secrets = sa.Table(
    "secrets",
    metadata,
    key(),
    ref("folder_id", "secret_folders", cascade=True),
    text("name"),
    ref("owner_id", "users", null=True, cascade=True),  # whose personal value it is; none: everybody's
    whole("version", 1),  # which one is current
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    _revision("added_revision"),
    sa.Column("removed_revision", sa.BigInteger, index=True),  # none: it is there; else only views of the past show it
    # NULLs differ from each other, so one rule for all rows would not hold for what is everybody's.
    sa.Index(
        "uq_secrets_shared",
        "folder_id",
        "name",
        unique=True,
        sqlite_where=sa.text("owner_id IS NULL AND removed_revision IS NULL"),
        postgresql_where=sa.text("owner_id IS NULL AND removed_revision IS NULL"),
    ),
    sa.Index(
        "uq_secrets_personal",
        "folder_id",
        "name",
        "owner_id",
        unique=True,
        sqlite_where=sa.text("owner_id IS NOT NULL AND removed_revision IS NULL"),
        postgresql_where=sa.text("owner_id IS NOT NULL AND removed_revision IS NULL"),
    ),
)

# A row is never changed: what changes is which one is current.
secret_versions = sa.Table(
    "secret_versions",
    metadata,
    key(),
    _first_of_a_key("secret_id", "secrets"),
    whole("number", 1),
    text("name"),
    sa.Column("value", SealedText),
    sa.Column("credential_id", sa.String(36), index=True),  # the row of the journal that holds the value instead
    sa.Column("details", SealedText),  # comment, metadata and reminder; none: there are none
    flag("skip_multiline_encoding"),
    text("made_by_kind"),
    sa.Column("made_by_id", sa.String(36)),
    text("made_by_name"),
    at_or_first("created_at", null=False),
    flag("has_references", default=True),  # whether the value may name other secrets, which is then part of its answers
    _revision("revision"),  # of the project, when it became the current one
    sa.UniqueConstraint("secret_id", "number"),
)

secret_tags = sa.Table(
    "secret_tags",
    metadata,
    key(),
    _first_of_a_key("project_id", "projects"),
    text("slug"),
    text("name"),
    text("color"),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.UniqueConstraint("project_id", "slug"),
)

secret_tag_links = sa.Table(
    "secret_tag_links",
    metadata,
    sa.Column("secret_id", sa.String(36), sa.ForeignKey("secrets.id", ondelete="CASCADE"), primary_key=True),
    sa.Column(
        "tag_id", sa.String(36), sa.ForeignKey("secret_tags.id", ondelete="CASCADE"), primary_key=True, index=True
    ),
)

secret_imports = sa.Table(
    "secret_imports",
    metadata,
    key(),
    _first_of_a_key("folder_id", "secret_folders"),
    ref("environment_id", "environments", cascade=True),  # what is imported: a folder of this environment
    text("path"),
    whole("position", 1),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    sa.UniqueConstraint("folder_id", "environment_id", "path"),
)

# The row is there before the secret is: nobody else takes the name while the first value is being made.
mapped_secrets = sa.Table(
    "mapped_secrets",
    metadata,
    sa.Column("secret_rotation_id", sa.String(36), sa.ForeignKey("secret_rotations.id"), primary_key=True),
    sa.Column("which", sa.String(20), primary_key=True),  # 'clientId' or 'clientSecret'
    _first_of_a_key("folder_id", "secret_folders", cascade=False),
    text("name"),
    ref("secret_id", "secrets", null=True),  # none: nothing was published yet
    sa.UniqueConstraint("folder_id", "name"),
)

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("project_id", sa.String(36), sa.ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    at("at", null=False),
    text("kind"),
    sa.Column("subject_id", sa.String(36), nullable=False),
    text("environment", null=True),  # its slug at the time
    text("path", null=True),
    text("name", null=True),
    sa.Column("version", sa.Integer),
    sa.Column("owner_id", sa.String(36)),  # who alone may know of it
    text("reason", null=True),
    text("previous_name", null=True),
    text("previous_path", null=True),
)
