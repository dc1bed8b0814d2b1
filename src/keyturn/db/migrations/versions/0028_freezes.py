"""A schedule has weekdays; organizations and projects have days on which nothing is rotated."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for table in ("rotations", "secret_rotations"):
        op.add_column(table, sa.Column("weekdays", sa.Integer(), server_default="127", nullable=False))
    op.add_column("rotations", sa.Column("moved_days", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "freeze_windows",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_day", sa.String(length=10), nullable=False),
        sa.Column("last_day", sa.String(length=10), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("yearly", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_freeze_windows_org_id")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_freeze_windows_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freeze_windows")),
    )
    for column in ("org_id", "project_id"):
        op.create_index(op.f(f"ix_freeze_windows_{column}"), "freeze_windows", [column], unique=False)
