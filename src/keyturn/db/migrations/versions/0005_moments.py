"""A moment that something is put off to is stored with the moment at which that was decided: a wrong clock then shows."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("rotations", sa.Column("wake_set_at", _MOMENT, nullable=True))
    op.create_index(op.f("ix_rotations_wake_set_at"), "rotations", ["wake_set_at"], unique=False)
    op.add_column("credentials", sa.Column("retry_set_at", _MOMENT, nullable=True))
    op.add_column("runs", sa.Column("retry_set_at", _MOMENT, nullable=True))
    _wake_all()


def _wake_all() -> None:
    """What was put to rest before, perhaps by a wrong clock, is looked at once."""
    op.execute("UPDATE rotations SET wake_set_at = wake_at WHERE wake_at IS NOT NULL")
