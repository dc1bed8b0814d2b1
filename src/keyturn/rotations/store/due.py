"""SQL that finds due rotations by their ``wake_at``, and claims them by moving it a little ahead."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from keyturn.db.columns import first_of, last_of
from keyturn.db.tables import rotations, run_steps
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import CLOCKS_APART

LONGEST_REST = timedelta(days=500)
"""For longer no rotation is put to rest: what lies further ahead, or cannot be read, is due."""


@dataclass(frozen=True)
class Due:
    rotation_id: str
    object_id: str


def any_due(tx: Tx, now: datetime) -> bool:
    """Whether some rotation wants work."""
    row = tx.one(_ANY_DUE, **_bounds(now))
    return bool(row and row["due"])


def due_before(tx: Tx, now: datetime, end: datetime) -> datetime | None:
    """Return the first wake-up after now that is before the end."""
    row = tx.one(_NEXT, now=now, end=end)
    return row["wake_at"] if row else None


def claim_due(tx: Tx, now: datetime, limit: int, until: datetime) -> list[Due]:
    """Move the wake-up of the longest due rotations to ``until`` and return them; no other transaction gets the same.

    Due is also what was put to rest by a clock that was ahead of ours: when it is to be woken is anybody's guess.
    """
    claimed: dict[str, Due] = {}
    for query in _CLAIMS:
        if len(claimed) < limit:
            rows = tx.rows(query, **_bounds(now), most=limit)
            claimed |= {row["id"]: Due(row["id"], row["object_id"]) for row in rows}
    due = list(claimed.values())[:limit]
    if due:
        tx.run(_PUT_OFF, ids=[each.rotation_id for each in due], until=until, now=now)
    return due


def _bounds(now: datetime) -> dict[str, datetime]:
    return {"now": now, "ahead": now + CLOCKS_APART, "rested": now + LONGEST_REST}


# Each reason is looked for on its own, by one index: a condition that joins them reads every rotation.
_REASONS = (
    (rotations.c.wake_at <= sa.bindparam("now"), rotations.c.wake_at),
    (
        sa.and_(rotations.c.wake_set_at > sa.bindparam("ahead"), rotations.c.wake_at.is_not(None)),
        rotations.c.wake_set_at,
    ),
    (rotations.c.wake_at > sa.bindparam("rested"), rotations.c.wake_at),
)
_CLAIMS = tuple(
    sa.select(rotations.c.id, rotations.c.object_id)
    .where(reason)
    .order_by(order)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)  # PostgreSQL; SQLite has one writer at a time anyway
    for reason, order in _REASONS
)
_ANY_DUE = sa.select(
    sa.or_(
        first_of(rotations.c.wake_at) <= sa.bindparam("now"),
        sa.select(sa.func.max(rotations.c.wake_set_at)).where(rotations.c.wake_at.is_not(None)).scalar_subquery()
        > sa.bindparam("ahead"),
        last_of(rotations.c.wake_at) > sa.bindparam("rested"),
    ).label("due")
)
_NEXT = (
    sa.select(rotations.c.wake_at)
    .where(rotations.c.wake_at > sa.bindparam("now"), rotations.c.wake_at < sa.bindparam("end"))
    .order_by(rotations.c.wake_at)
    .limit(1)
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


def look_at_all(tx: Tx, now: datetime) -> None:
    """Let every application be looked at now, and every promise and removal be judged anew."""
    tx.run(sa.update(rotations).where(rotations.c.retired.is_(False)).values(sweep_at=now))
    tx.run(sa.update(rotations).values(wake_at=now, wake_set_at=now))


def last_step_at(tx: Tx) -> datetime | None:
    """Return when the last step was done."""
    row = tx.one(_LAST_STEP)
    return row["finished_at"] if row and isinstance(row["finished_at"], datetime) else None


_LAST_STEP = sa.select(run_steps.c.finished_at).order_by(run_steps.c.id.desc()).limit(1)


def looks_waiting(tx: Tx, now: datetime) -> bool:
    """Whether some application waits to be looked at."""
    return tx.one(_WAITING, now=now) is not None


_WAITING = (
    sa.select(rotations.c.id)
    .where(rotations.c.retired.is_(False), rotations.c.sweep_at <= sa.bindparam("now"))
    .limit(1)
)


def all_living(tx: Tx) -> list[str]:
    """Return the ids of the rotations that have not ended."""
    return [str(row["id"]) for row in tx.rows(sa.select(rotations.c.id).where(rotations.c.retired.is_(False)))]


def wake_applications(tx: Tx, object_ids: Collection[str], now: datetime) -> None:
    """Make due at once all rotations of these applications."""
    late = sa.or_(rotations.c.wake_at.is_(None), rotations.c.wake_at > now)
    tx.run(sa.update(rotations).where(rotations.c.object_id.in_(object_ids), late).values(wake_at=now, wake_set_at=now))
