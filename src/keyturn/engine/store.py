"""SQL of the engine: due rotations, the processes of this installation, and what a dead one held."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from keyturn.db.tables import app_connections, leases, processes, rotations
from keyturn.db.unit import Tx
from keyturn.kit.moments import FIRST, LAST


@dataclass(frozen=True)
class Due:
    rotation_id: str
    object_id: str


@dataclass(frozen=True)
class Process:
    """One process of this installation. ``host`` tells machine and process apart (see machine.py)."""

    id: str
    host: str
    pid: int
    seen_at: datetime


CLOCKS_APART = timedelta(seconds=10)
"""By less the clocks of servers always differ. What was written further ahead of our clock was written by a wrong one."""
LONGEST_REST = timedelta(days=500)
"""For longer no rotation is put to rest: what lies further ahead, or cannot be read, is due."""
LONGEST_LOOK = timedelta(days=1) + CLOCKS_APART
"""Between two looks at a connection: one that lies further ahead was put off by a wrong clock, and is due."""


def any_due(tx: Tx, now: datetime) -> tuple[bool, bool]:
    """Whether some rotation wants work, and whether some connection is to be looked at."""
    row = tx.one(_ANY_DUE, now=now, ahead=now + CLOCKS_APART, never=now + LONGEST_LOOK, rested=now + LONGEST_REST)
    return (bool(row["work"]), bool(row["looks"])) if row else (False, False)


def claim_looks(tx: Tx, now: datetime, limit: int, until: datetime) -> list[str]:
    """Move the look at the connections that have waited longest to ``until`` and return their ids; nobody else gets the same."""
    found = [str(row["id"]) for row in tx.rows(_CLAIM_LOOKS, now=now, never=now + LONGEST_LOOK, most=limit)]
    if found:
        tx.run(_PUT_OFF_LOOKS, ids=found, until=until)
    return found


_LOOKS = sa.or_(app_connections.c.look_at <= sa.bindparam("now"), app_connections.c.look_at > sa.bindparam("never"))
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
    ).label("work"),
    sa.exists().where(_LOOKS).label("looks"),
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


def beat(tx: Tx, process_id: str, now: datetime) -> bool:
    """Say that the process lives; False when its row is gone: the others took it for dead."""
    return tx.run(sa.update(processes).where(processes.c.id == process_id).values(seen_at=now)) == 1


def add_process(tx: Tx, process: Process) -> None:
    tx.run(
        sa.insert(processes).values(
            id=process.id, host=process.host, pid=process.pid, started_at=process.seen_at, seen_at=process.seen_at
        )
    )


def list_processes(tx: Tx) -> list[Process]:
    return [
        Process(row["id"], row["host"], row["pid"], row["seen_at"])
        for row in tx.rows(sa.select(processes.c.id, processes.c.host, processes.c.pid, processes.c.seen_at))
    ]


def remove_process(tx: Tx, process_id: str, seen_at: datetime) -> bool:
    """Strike the process off; False when it was seen since, or another transaction was faster."""
    gone = sa.delete(processes).where(processes.c.id == process_id, _as_seen(processes.c.seen_at, seen_at))
    return tx.run(gone) == 1


def _as_seen(column: sa.Column[object], moment: datetime) -> sa.ColumnElement[bool]:
    """Whether a column still holds what was read, which for all that cannot be read is the first moment."""
    return column == moment if moment != FIRST else sa.not_(column.between(FIRST, LAST))


def free_leases(tx: Tx, process_id: str, now: datetime, ending_by: datetime | None = None) -> list[str]:
    """End the leases of the process, or those of them that would end by that moment; return the applications they were for."""
    its = leases.c.holder == process_id
    if ending_by is not None:
        its &= leases.c.expires_at <= ending_by
    object_ids = [str(row["object_id"]) for row in tx.rows(sa.select(leases.c.object_id).where(its))]
    if object_ids:
        # Without a holder the old token cannot be used any more, should the process turn out to be only slow.
        tx.run(sa.update(leases).where(its).values(holder=None, expires_at=now))
    return object_ids


@dataclass(frozen=True)
class Lease:
    object_id: str
    token: int
    expires_at: datetime


def leases_beyond(tx: Tx, moment: datetime) -> list[Lease]:
    """Return the leases that end later than this."""
    query = sa.select(leases).where(leases.c.expires_at > moment, leases.c.holder.is_not(None))
    return [Lease(row["object_id"], row["token"], row["expires_at"]) for row in tx.rows(query)]


def end_lease(tx: Tx, lease: Lease, now: datetime) -> bool:
    """End the lease if it is still as it was seen; its holder can then not write under it any more."""
    same = sa.and_(
        leases.c.object_id == lease.object_id,
        leases.c.token == lease.token,
        _as_seen(leases.c.expires_at, lease.expires_at),
        leases.c.holder.is_not(None),
    )
    return tx.run(sa.update(leases).where(same).values(holder=None, expires_at=now)) == 1


def wake_applications(tx: Tx, object_ids: Collection[str], now: datetime) -> None:
    """Make the finder look at all rotations of these applications at once."""
    late = sa.or_(rotations.c.wake_at.is_(None), rotations.c.wake_at > now)
    tx.run(sa.update(rotations).where(rotations.c.object_id.in_(object_ids), late).values(wake_at=now, wake_set_at=now))
