"""SQL of the engine: the processes of this installation, and the leases that a dead one held."""

from datetime import datetime

import sqlalchemy as sa

from keyturn.db.tables import leases, processes
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import FIRST, LAST


@dataclass(frozen=True)
class Process:
    """One process of this installation. ``host`` tells machine and process apart (see machine.py)."""

    id: str
    host: str
    pid: int
    seen_at: datetime


def beat(tx: Tx, process_id: str, now: datetime) -> bool:
    """Write the heartbeat; False when the row is gone: the others took the process for dead."""
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


def last_seen(tx: Tx) -> datetime | None:
    """Return when a process last gave a sign of life."""
    row = tx.one(sa.select(sa.func.max(processes.c.seen_at).label("at")))
    return row["at"] if row else None


def remove_process(tx: Tx, process_id: str, seen_at: datetime) -> bool:
    """Strike the process off; False when it was seen since, or another transaction was faster."""
    delete = sa.delete(processes).where(processes.c.id == process_id, _as_seen(processes.c.seen_at, seen_at))
    return tx.run(delete) == 1


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


def end_all_leases(tx: Tx, now: datetime) -> None:
    """End all leases: those who held them are processes of another database. Their tokens stay used up."""
    tx.run(sa.update(leases).values(holder=None, expires_at=now))


@dataclass(frozen=True)
class Lease:
    object_id: str
    token: int
    expires_at: datetime


def leases_beyond(tx: Tx, moment: datetime) -> list[Lease]:
    """Return the leases that end later than this."""
    return [Lease(row["object_id"], row["token"], row["expires_at"]) for row in tx.rows(_BEYOND, moment=moment)]


_BEYOND = sa.select(leases).where(leases.c.expires_at > sa.bindparam("moment"), leases.c.holder.is_not(None))


def end_lease(tx: Tx, lease: Lease, now: datetime) -> bool:
    """End the lease if it is still as it was seen; its holder can then not write under it any more."""
    same = sa.and_(
        leases.c.object_id == lease.object_id,
        leases.c.token == lease.token,
        _as_seen(leases.c.expires_at, lease.expires_at),
        leases.c.holder.is_not(None),
    )
    return tx.run(sa.update(leases).where(same).values(holder=None, expires_at=now)) == 1
