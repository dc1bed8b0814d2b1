"""SQL that finds due rotations by their ``wake_at``, and claims them by moving it a little ahead."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from keyturn.db.tables import rotations
from keyturn.db.unit import Tx
from keyturn.kit.moments import CLOCKS_APART

LONGEST_REST = timedelta(days=500)
"""For longer no rotation is put to rest: what lies further ahead, or cannot be read, is due."""


@dataclass(frozen=True)
class Due:
    rotation_id: str
    object_id: str


def any_due(tx: Tx, now: datetime) -> bool:
    """Whether some rotation wants work."""
    row = tx.one(_ANY_DUE, now=now, ahead=now + CLOCKS_APART, rested=now + LONGEST_REST)
    return bool(row and row["due"])


def claim_due(tx: Tx, now: datetime, limit: int, until: datetime) -> list[Due]:
    """Move the wake-up of the longest due rotations to ``until`` and return them; no other transaction gets the same.

    Due is also what was put to rest by a clock that was ahead of ours: when it is to be woken is anybody's guess.
    """
    found = [Due(row["id"], row["object_id"]) for row in tx.rows(_CLAIM, now=now, most=limit)]
    if len(found) < limit:
        bounds = {"ahead": now + CLOCKS_APART, "rested": now + LONGEST_REST}
        ahead = tx.rows(_CLAIM_AHEAD, now=now, **bounds, most=limit - len(found))
        found += [Due(row["id"], row["object_id"]) for row in ahead]
    if found:
        tx.run(_PUT_OFF, ids=[due.rotation_id for due in found], until=until, now=now)
    return found


_CLAIM = (
    sa.select(rotations.c.id, rotations.c.object_id)
    .where(rotations.c.wake_at <= sa.bindparam("now"))
    .order_by(rotations.c.wake_at)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)  # PostgreSQL; SQLite has one writer at a time anyway
)
_AHEAD = sa.or_(
    sa.and_(rotations.c.wake_set_at > sa.bindparam("ahead"), rotations.c.wake_at > sa.bindparam("now")),
    rotations.c.wake_at > sa.bindparam("rested"),
)
_CLAIM_AHEAD = (
    sa.select(rotations.c.id, rotations.c.object_id)
    .where(_AHEAD)
    .order_by(rotations.c.wake_set_at)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)
_ANY_DUE = sa.select(
    sa.or_(
        sa.exists().where(rotations.c.wake_at <= sa.bindparam("now")),
        sa.exists().where(_AHEAD),
    ).label("due")
)
_PUT_OFF = (
    sa.update(rotations)
    .where(rotations.c.id.in_(sa.bindparam("ids", expanding=True)))
    .values(wake_at=sa.bindparam("until"), wake_set_at=sa.bindparam("now"))
)


def postpone(tx: Tx, rotation_ids: Sequence[str], claimed_until: datetime, until: datetime, now: datetime) -> None:
    """Change the wake-up of claimed rotations, unless somebody else has set it since."""
    tx.run(
        sa.update(rotations)
        .where(rotations.c.id.in_(rotation_ids), rotations.c.wake_at == claimed_until)
        .values(wake_at=until, wake_set_at=now)
    )


def wake_applications(tx: Tx, object_ids: Collection[str], now: datetime) -> None:
    """Make due at once all rotations of these applications."""
    late = sa.or_(rotations.c.wake_at.is_(None), rotations.c.wake_at > now)
    tx.run(sa.update(rotations).where(rotations.c.object_id.in_(object_ids), late).values(wake_at=now, wake_set_at=now))
