"""SQL that finds and claims the connections that are to be looked at, and the refresh tokens that are to be used."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.connections.store import REFRESH_EVERY
from keyturn.db.columns import first_of, last_of
from keyturn.db.tables import app_connections, oauth_tokens
from keyturn.db.unit import Tx
from keyturn.kit.moments import CLOCKS_APART

LONGEST_LOOK = timedelta(days=1) + CLOCKS_APART
"""Between two looks at a connection."""
LONGEST_REFRESH = REFRESH_EVERY + timedelta(hours=1)
"""Between two uses of a refresh token."""


class DueColumn:
    """Moments in one column, at which something is due with the row of a connection.

    What lies further ahead than ``longest`` was put off by a wrong clock, and is due.
    """

    def __init__(self, connection_id: sa.Column[Any], at: sa.Column[Any], longest: timedelta) -> None:
        now: sa.BindParameter[Any] = sa.bindparam("now")
        never: sa.BindParameter[Any] = sa.bindparam("never")
        self._longest = longest
        self._any = sa.select(sa.or_(first_of(at) <= now, last_of(at) > never).label("due"))
        self._claim = (
            sa.select(connection_id.label("connection_id"))
            .where(sa.or_(at <= now, at > never))
            .order_by(at)
            .limit(sa.bindparam("most"))
            .with_for_update(skip_locked=True)
        )
        ids: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
        self._put_off = sa.update(at.table).where(connection_id.in_(ids)).values({at.name: sa.bindparam("until")})

    def any_due(self, tx: Tx, now: datetime) -> bool:
        """Whether something is due. Looks at both ends of an index."""
        row = tx.one(self._any, now=now, never=now + self._longest)
        return bool(row and row["due"])

    def claim(self, tx: Tx, now: datetime, limit: int, until: datetime) -> list[str]:
        """Move what is longest due to ``until``; return its connections. No other transaction gets the same."""
        claimed = tx.rows(self._claim, now=now, never=now + self._longest, most=limit)
        connection_ids = [str(row["connection_id"]) for row in claimed]
        if connection_ids:
            tx.run(self._put_off, ids=connection_ids, until=until)
        return connection_ids


_LOOKS = DueColumn(app_connections.c.id, app_connections.c.look_at, LONGEST_LOOK)
any_look_due, claim_looks = _LOOKS.any_due, _LOOKS.claim


def look_at_all(tx: Tx, now: datetime) -> None:
    """Let the server try every connection now that it tries by itself."""
    tx.run(sa.update(app_connections).where(app_connections.c.look_at.is_not(None)).values(look_at=now))


_REFRESHES = DueColumn(oauth_tokens.c.connection_id, oauth_tokens.c.refresh_due_at, LONGEST_REFRESH)
any_refresh_due, claim_refreshes = _REFRESHES.any_due, _REFRESHES.claim
