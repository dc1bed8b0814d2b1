"""What was deleted can be restored for a while; a project says how many versions of a secret it keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deletions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("made_by_kind", sa.Text(), nullable=False),
        sa.Column("made_by_id", sa.String(length=36), nullable=True),
        sa.Column("made_by_name", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_deletions_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletions")),
    )
    op.create_index(op.f("ix_deletions_org_id"), "deletions", ["org_id"], unique=False)
    op.create_index(op.f("ix_deletions_project_id"), "deletions", ["project_id"], unique=False)
    op.create_index(op.f("ix_deletions_deleted_at"), "deletions", ["deleted_at"], unique=False)
    _of_deletion(
        "deleted_rows",
        sa.Column("number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("of_table", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
    )
    _of_deletion(
        "deleted_values",
        sa.Column("of_table", sa.Text(), nullable=False),
        sa.Column("of_row", sa.String(length=36), nullable=False),
        sa.Column("of_column", sa.Text(), nullable=False),
        sa.Column("of_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
    )
    op.add_column("projects", sa.Column("version_limit", sa.Integer(), nullable=True))


def _of_deletion(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("deletion_id", sa.String(length=36), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["deletion_id"], ["deletions.id"], name=op.f(f"fk_{name}_deletion_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_deletion_id"), name, ["deletion_id"], unique=False)
