"""A project has roles of its own, and a member several roles, each for good or for a time."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "project_roles",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_project_roles_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_roles")),
        sa.UniqueConstraint("project_id", "slug", name=op.f("uq_project_roles_project_id_slug")),
    )
    op.create_table(
        "project_member_roles",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("member_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("role_id", sa.String(length=36), nullable=True),
        sa.Column("temporary_range", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["project_members.id"], name=op.f("fk_project_member_roles_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["role_id"], ["project_roles.id"], name=op.f("fk_project_member_roles_role_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_member_roles")),
    )
    op.create_index(op.f("ix_project_member_roles_member_id"), "project_member_roles", ["member_id"], unique=False)
    op.create_index(op.f("ix_project_member_roles_role_id"), "project_member_roles", ["role_id"], unique=False)
    _roles_of_members()


def _roles_of_members() -> None:
    """The one role that each member had, under the id that clients know it by."""
    op.execute(
        "INSERT INTO project_member_roles (id, member_id, role, created_at)"
        " SELECT id, id, role, created_at FROM project_members"
    )
    op.drop_column("project_members", "role")
