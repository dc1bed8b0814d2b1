"""People whom others vouch for: who they are there, what their groups give them here, and how a session was begun."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "people_external_identities",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_people_external_identities_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people_external_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_people_external_identities_issuer_subject")),
    )
    op.create_index(
        op.f("ix_people_external_identities_user_id"), "people_external_identities", ["user_id"], unique=False
    )
    op.create_table(
        "group_roles",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("role_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_group_roles_org_id")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_group_roles_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["role_id"], ["project_roles.id"], name=op.f("fk_group_roles_role_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_roles")),
    )
    for column in ("org_id", "project_id", "role_id"):
        op.create_index(op.f(f"ix_group_roles_{column}"), "group_roles", [column], unique=False)
    op.create_table(
        "used_sign_ins",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("used_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_used_sign_ins")),
    )
    op.create_index(op.f("ix_used_sign_ins_used_at"), "used_sign_ins", ["used_at"], unique=False)
    op.add_column("sessions", sa.Column("method", sa.Text(), server_default="password", nullable=False))
    op.add_column(
        "project_member_roles", sa.Column("by_group", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
