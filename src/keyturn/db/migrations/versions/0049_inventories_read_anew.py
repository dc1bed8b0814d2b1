"""Inventories of before: how long each credential lives, and lists that are read within the hour, and policies with them.

They are read daily: until then a filter by the length of lives found nothing, and no policy was known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

_DAYS = {
    "sqlite": "(CAST(strftime('%s', ends_at) AS INTEGER) - CAST(strftime('%s', starts_at) AS INTEGER)) / 86400",
    # Nothing can be taken from infinity, which a database may hold that was written into by hand.
    "postgresql": "CASE WHEN isfinite(starts_at) AND isfinite(ends_at)"
    " THEN floor(extract(epoch FROM ends_at - starts_at) / 86400) END",
}


def upgrade() -> None:
    names = ("life_days", "starts_at", "ends_at")
    entries = sa.table("inventory_entries", *(sa.column(name) for name in names))
    days: sa.ColumnElement[int] = sa.literal_column(_DAYS[op.get_bind().dialect.name])
    has_both = sa.and_(entries.c.starts_at.is_not(None), entries.c.ends_at.is_not(None))
    op.execute(entries.update().where(entries.c.life_days.is_(None), has_both).values(life_days=days))
    # Without a token nobody can be asked what changed: the lists are read instead, at the next look.
    op.execute("UPDATE inventories SET tokens_at = NULL WHERE policies IS NULL AND policies_trouble IS NULL")
