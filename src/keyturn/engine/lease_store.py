"""SQL for leases: who works on a rotation."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from keyturn.db.tables import leases
from keyturn.db.unit import Tx

_TOKEN = sa.select(leases.c.token).where(leases.c.object_id == sa.bindparam("of_object"))
_TAKE = (
    sa.update(leases)
    .where(
        leases.c.object_id == sa.bindparam("of_object"),
        sa.or_(leases.c.expires_at <= sa.bindparam("now"), leases.c.holder.is_(None)),
    )
    .values(holder=sa.bindparam("holder"), token=leases.c.token + 1, expires_at=sa.bindparam("until"))
    .returning(leases.c.token)
)


def take_lease(tx: Tx, object_id: str, holder: str, now: datetime, ttl: timedelta) -> int | None:
    """Take the application's lease and return its new fencing token, or None while somebody else holds it."""
    row = tx.one(_TAKE, of_object=object_id, now=now, holder=holder, until=now + ttl)
    if row:
        return int(row["token"])
    if tx.one(_TOKEN, of_object=object_id):
        return None
    return 1 if tx.add_new(leases, object_id=object_id, holder=holder, token=1, expires_at=now + ttl) else None


_DROP = sa.update(leases).where(
    leases.c.object_id == sa.bindparam("of_object"), leases.c.token == sa.bindparam("of_token")
)
_KEEP = _DROP.where(leases.c.holder.is_not(None))


def keep_lease(tx: Tx, object_id: str, token: int, expires_at: datetime) -> bool:
    """Extend the lease if the token is still the newest; until the transaction ends nobody can take it over."""
    return tx.run(_KEEP, of_object=object_id, of_token=token, expires_at=expires_at) == 1


def drop_lease(tx: Tx, object_id: str, token: int, now: datetime) -> None:
    """Give the lease back; nothing happens when it was taken over."""
    tx.run(_DROP, of_object=object_id, of_token=token, holder=None, expires_at=now)
