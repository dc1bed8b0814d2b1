"""What the provider reports of the use of credentials, and until when one that waits for that is kept at least."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("credentials", sa.Column("grace_ends_at", _MOMENT, nullable=True))
    op.create_table(
        "use_reports",
        sa.Column("rotation_id", sa.String(length=36), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("ask_at", _MOMENT, nullable=True),
        sa.Column("busy_until", _MOMENT, nullable=True),
        sa.Column("coverage", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rotation_id"], ["rotations.id"], name=op.f("fk_use_reports_rotation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rotation_id", name=op.f("pk_use_reports")),
    )
    op.create_index(op.f("ix_use_reports_ask_at"), "use_reports", ["ask_at"], unique=False)
    op.create_table(
        "observed_uses",
        sa.Column("credential_id", sa.String(length=36), nullable=False),
        sa.Column("rotation_id", sa.String(length=36), nullable=False),
        sa.Column("last_used_at", _MOMENT, nullable=True),
        sa.Column("refused_at", _MOMENT, nullable=True),
        sa.Column("observed", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["credentials.id"], name=op.f("fk_observed_uses_credential_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["rotation_id"], ["rotations.id"], name=op.f("fk_observed_uses_rotation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_observed_uses")),
    )
    op.create_index(op.f("ix_observed_uses_rotation_id"), "observed_uses", ["rotation_id"], unique=False)
    op.create_index(op.f("ix_observed_uses_refused_at"), "observed_uses", ["refused_at"], unique=False)
