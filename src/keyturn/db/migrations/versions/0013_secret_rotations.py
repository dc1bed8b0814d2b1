"""Secrets of applications are rotated into secrets of projects: who maps them where, and which applications may be rotated."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _secret_rotations()
    _mapped_secrets()
    _claims()
    _allowed()


def _secret_rotations() -> None:
    op.create_table(
        "secret_rotations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("rotation_id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("folder_id", sa.String(length=36), nullable=False),
        sa.Column("connection_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("interval_days", sa.Integer(), server_default="30", nullable=False),
        sa.Column("at_hour", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at_minute", sa.Integer(), server_default="0", nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("overlap", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        *_references(
            "secret_rotations",
            ("rotation_id", "rotations"),
            ("org_id", "organizations"),
            ("project_id", "projects"),
            ("environment_id", "environments"),
            ("folder_id", "secret_folders"),
            ("connection_id", "app_connections"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_rotations")),
        sa.UniqueConstraint("folder_id", "name", name=op.f("uq_secret_rotations_folder_id_name")),
    )
    for name in ("rotation_id", "org_id", "project_id", "environment_id", "connection_id"):
        op.create_index(op.f(f"ix_secret_rotations_{name}"), "secret_rotations", [name], unique=False)


def _mapped_secrets() -> None:
    op.create_table(
        "mapped_secrets",
        sa.Column("secret_rotation_id", sa.String(length=36), nullable=False),
        sa.Column("which", sa.String(length=20), nullable=False),
        sa.Column("folder_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_id", sa.String(length=36), nullable=True),
        *_references(
            "mapped_secrets",
            ("secret_rotation_id", "secret_rotations"),
            ("folder_id", "secret_folders"),
            ("secret_id", "secrets"),
        ),
        sa.PrimaryKeyConstraint("secret_rotation_id", "which", name=op.f("pk_mapped_secrets")),
        sa.UniqueConstraint("folder_id", "name", name=op.f("uq_mapped_secrets_folder_id_name")),
    )
    op.create_index(op.f("ix_mapped_secrets_secret_id"), "mapped_secrets", ["secret_id"], unique=False)


def _claims() -> None:
    """What connections sign in to can not be the target of a rotation of another kind."""
    op.create_table(
        "application_claims",
        sa.Column("cloud", sa.Text(), nullable=False),
        sa.Column("app_id", sa.Text(), nullable=False),
        sa.Column("use", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cloud", "app_id", name=op.f("pk_application_claims")),
    )
    op.execute(
        "INSERT INTO application_claims (cloud, app_id, use) "
        "SELECT DISTINCT cloud, lower(client_id), 'sign-in' FROM app_connections"
    )


def _allowed() -> None:
    op.create_table(
        "connection_applications",
        sa.Column("connection_id", sa.String(length=36), nullable=False),
        sa.Column("object_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["app_connections.id"],
            name=op.f("fk_connection_applications_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", "object_id", name=op.f("pk_connection_applications")),
    )
    op.add_column(
        "app_connections", sa.Column("rotates_owned", sa.Boolean(), server_default=sa.false(), nullable=False)
    )


def _references(table: str, *targets: tuple[str, str]) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))
        for column, target in targets
    ]
