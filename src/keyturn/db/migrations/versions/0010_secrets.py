"""Secrets of a project: folders, secrets with their versions, tags, imports, and a feed numbered by the project's revision."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _revisions()
    _folders()
    _secrets()
    _tags()
    _imports()


def _revisions() -> None:
    op.add_column("projects", sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "changes",
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("environment", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_changes_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "revision", name=op.f("pk_changes")),
    )


def _folders() -> None:
    op.create_table(
        "secret_folders",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name=op.f("fk_secret_folders_environment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["secret_folders.id"], name=op.f("fk_secret_folders_parent_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_folders")),
        sa.UniqueConstraint("environment_id", "path", name=op.f("uq_secret_folders_environment_id_path")),
    )
    op.create_index(op.f("ix_secret_folders_parent_id"), "secret_folders", ["parent_id"], unique=False)


def _secrets() -> None:
    op.create_table(
        "secrets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("folder_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["secret_folders.id"], name=op.f("fk_secrets_folder_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_secrets_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secrets")),
    )
    op.create_index(op.f("ix_secrets_folder_id"), "secrets", ["folder_id"], unique=False)
    op.create_index(op.f("ix_secrets_owner_id"), "secrets", ["owner_id"], unique=False)
    op.create_index(
        "uq_secrets_personal",
        "secrets",
        ["folder_id", "name", "owner_id"],
        unique=True,
        sqlite_where=sa.text("owner_id IS NOT NULL"),
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "uq_secrets_shared",
        "secrets",
        ["folder_id", "name"],
        unique=True,
        sqlite_where=sa.text("owner_id IS NULL"),
        postgresql_where=sa.text("owner_id IS NULL"),
    )
    op.create_table(
        "secret_versions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("secret_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), server_default="1", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("credential_id", sa.String(length=36), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("skip_multiline_encoding", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("made_by_kind", sa.Text(), nullable=False),
        sa.Column("made_by_id", sa.String(length=36), nullable=True),
        sa.Column("made_by_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secrets.id"], name=op.f("fk_secret_versions_secret_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_versions")),
        sa.UniqueConstraint("secret_id", "number", name=op.f("uq_secret_versions_secret_id_number")),
    )
    op.create_index(op.f("ix_secret_versions_credential_id"), "secret_versions", ["credential_id"], unique=False)


def _tags() -> None:
    op.create_table(
        "secret_tags",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("color", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_secret_tags_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_tags")),
        sa.UniqueConstraint("project_id", "slug", name=op.f("uq_secret_tags_project_id_slug")),
    )
    op.create_table(
        "secret_tag_links",
        sa.Column("secret_id", sa.String(length=36), nullable=False),
        sa.Column("tag_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secrets.id"], name=op.f("fk_secret_tag_links_secret_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["secret_tags.id"], name=op.f("fk_secret_tag_links_tag_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("secret_id", "tag_id", name=op.f("pk_secret_tag_links")),
    )
    op.create_index(op.f("ix_secret_tag_links_tag_id"), "secret_tag_links", ["tag_id"], unique=False)


def _imports() -> None:
    op.create_table(
        "secret_imports",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("folder_id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name=op.f("fk_secret_imports_environment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["secret_folders.id"], name=op.f("fk_secret_imports_folder_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_imports")),
        sa.UniqueConstraint(
            "folder_id", "environment_id", "path", name=op.f("uq_secret_imports_folder_id_environment_id_path")
        ),
    )
    op.create_index(op.f("ix_secret_imports_environment_id"), "secret_imports", ["environment_id"], unique=False)
