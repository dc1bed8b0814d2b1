"""A set-up code, first passwords that have to be changed, guesses counted at what they were made with and from where."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _setup_codes()
    op.add_column("users", sa.Column("first_password", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("universal_auths", sa.Column("failed_from", sa.JSON(), server_default="[]", nullable=False))
    for table in ("sessions", "access_tokens"):
        op.add_column(table, sa.Column("wrong_guesses", sa.Integer(), server_default="0", nullable=False))


def _setup_codes() -> None:
    op.create_table(
        "setup_codes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("salt", sa.Text(), nullable=True),
        sa.Column("derived", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setup_codes")),
    )
