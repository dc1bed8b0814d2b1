"""SQL that finds and claims the connections that are to be looked at, and the refresh tokens that are to be used."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from keyturn.connections.store import REFRESH_EVERY
from keyturn.db.columns import first_of, last_of
from keyturn.db.tables import app_connections, oauth_tokens
from keyturn.db.unit import Tx
from keyturn.kit.moments import CLOCKS_APART

LONGEST_LOOK = timedelta(days=1) + CLOCKS_APART
"""Between two looks at a connection: one that lies further ahead was put off by a wrong clock, and is due."""
LONGEST_REFRESH = REFRESH_EVERY + timedelta(hours=1)
"""Between two uses of a refresh token, likewise."""

# --- looks ------------------------------------------------------------------------------------------------------------


def any_look_due(tx: Tx, now: datetime) -> bool:
    """Whether some connection is to be looked at."""
    row = tx.one(_ANY_LOOK, now=now, never=now + LONGEST_LOOK)
    return bool(row and row["due"])


def claim_looks(tx: Tx, now: datetime, limit: int, until: datetime) -> list[str]:
    """Move the look at the connections that have waited longest to ``until`` and return their ids; nobody else gets the same."""
    connection_ids = [str(row["id"]) for row in tx.rows(_CLAIM_LOOKS, now=now, never=now + LONGEST_LOOK, most=limit)]
    if connection_ids:
        tx.run(_PUT_OFF_LOOKS, ids=connection_ids, until=until)
    return connection_ids


_LOOKS = sa.or_(app_connections.c.look_at <= sa.bindparam("now"), app_connections.c.look_at > sa.bindparam("never"))
_ANY_LOOK = sa.select(
    sa.or_(
        first_of(app_connections.c.look_at) <= sa.bindparam("now"),
        last_of(app_connections.c.look_at) > sa.bindparam("never"),
    ).label("due")
)
_CLAIM_LOOKS = (
    sa.select(app_connections.c.id)
    .where(_LOOKS)
    .order_by(app_connections.c.look_at)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)
_PUT_OFF_LOOKS = (
    sa.update(app_connections)
    .where(app_connections.c.id.in_(sa.bindparam("ids", expanding=True)))
    .values(look_at=sa.bindparam("until"))
)


# --- refresh tokens ---------------------------------------------------------------------------------------------------


def any_refresh_due(tx: Tx, now: datetime) -> bool:
    """Whether some refresh token is to be used."""
    row = tx.one(_ANY_REFRESH, now=now, never=now + LONGEST_REFRESH)
    return bool(row and row["due"])


def claim_refreshes(tx: Tx, now: datetime, limit: int, until: datetime) -> list[str]:
    """Move the refreshes that are longest due to ``until``; return their connections. No other transaction gets the same."""
    claimed = tx.rows(_CLAIM_REFRESHES, now=now, never=now + LONGEST_REFRESH, most=limit)
    connection_ids = [str(row["connection_id"]) for row in claimed]
    if connection_ids:
        tx.run(_PUT_OFF_REFRESHES, ids=connection_ids, until=until)
    return connection_ids


_REFRESHES = sa.or_(
    oauth_tokens.c.refresh_due_at <= sa.bindparam("now"), oauth_tokens.c.refresh_due_at > sa.bindparam("never")
)
_ANY_REFRESH = sa.select(
    sa.or_(
        first_of(oauth_tokens.c.refresh_due_at) <= sa.bindparam("now"),
        last_of(oauth_tokens.c.refresh_due_at) > sa.bindparam("never"),
    ).label("due")
)
_CLAIM_REFRESHES = (
    sa.select(oauth_tokens.c.connection_id)
    .where(_REFRESHES)
    .order_by(oauth_tokens.c.refresh_due_at)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)
_PUT_OFF_REFRESHES = (
    sa.update(oauth_tokens)
    .where(oauth_tokens.c.connection_id.in_(sa.bindparam("ids", expanding=True)))
    .values(refresh_due_at=sa.bindparam("until"))
)
