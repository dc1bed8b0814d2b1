"""Every connection is looked at daily, refusals are kept, and a new secret remembers when a replica did not know it yet."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_A_DAY = timedelta(days=1)
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _credentials()
    _app_connections()
    _first_looks()
    _first_sweeps()


def _credentials() -> None:
    op.add_column("credentials", sa.Column("not_yet_at", _MOMENT, nullable=True))
    op.execute("UPDATE credentials SET not_yet_at = proof_at WHERE proof_tries > 0 AND state IN ('issued', 'proven')")


def _app_connections() -> None:
    for name in ("look_at", "published_at", "refused_at"):
        op.add_column("app_connections", sa.Column(name, _MOMENT, nullable=True))
    op.add_column("app_connections", sa.Column("refusal", sa.JSON(), nullable=True))
    op.create_index(op.f("ix_app_connections_look_at"), "app_connections", ["look_at"], unique=False)


def _first_looks() -> None:
    """Spread over the day that follows: the identity provider is not asked about all of them at once."""
    table = sa.table("app_connections", sa.column("id"), sa.column("look_at", _MOMENT))
    found = op.get_bind().execute(sa.select(table.c.id).order_by(table.c.id)).scalars().all()
    now = datetime.now(UTC)
    looks = [{"of_id": one, "at": now + _A_DAY * (number + 1) / len(found)} for number, one in enumerate(found)]
    if looks:
        query = sa.update(table).where(table.c.id == sa.bindparam("of_id")).values(look_at=sa.bindparam("at"))
        op.get_bind().execute(query, looks)


def _first_sweeps() -> None:
    """A rotation that was switched off before its first run was never looked at."""
    table = sa.table(
        "rotations",
        sa.column("sweep_at", _MOMENT),
        sa.column("wake_at", _MOMENT),
        sa.column("retired", sa.Boolean()),
        sa.column("enabled", sa.Boolean()),
    )
    soon = datetime.now(UTC)
    never = sa.and_(table.c.sweep_at.is_(None), sa.not_(table.c.retired), sa.not_(table.c.enabled))
    op.execute(sa.update(table).where(never).values(sweep_at=soon, wake_at=soon))
