"""SQL of rotations, runs, their steps, leases and what was seen at the provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.credentials import store as journal
from keyturn.credentials.domain import State
from keyturn.db import unread
from keyturn.db.tables import credentials, leases, observed_keys, rotations, run_steps, runs
from keyturn.db.unit import Tx
from keyturn.kit.moments import FIRST
from keyturn.ports import RemoteCredential
from keyturn.rotations.domain import Kind, Rotation, Run, Snapshot
from keyturn.rotations.rows import PLAIN
from keyturn.rotations.rows import rotation as _rotation
from keyturn.rotations.rows import run as _run


def _columns(rotation: Rotation) -> dict[str, Any]:
    anchor = rotation.anchor
    return {name: getattr(rotation, name) for name in PLAIN} | {
        "kind": rotation.kind.value,
        "cloud": rotation.tenant.cloud,
        "tenant_id": rotation.tenant.tenant_id,
        "interval_days": rotation.schedule.interval_days,
        "at_hour": rotation.schedule.hour,
        "at_minute": rotation.schedule.minute,
        "time_zone": rotation.schedule.time_zone,
        "anchor": {"at": anchor.at.isoformat(), "scheduled": anchor.scheduled} if anchor else None,
    }


def insert(tx: Tx, rotation: Rotation) -> None:
    tx.run(sa.insert(rotations).values(**_columns(rotation)))


_SAVE = sa.update(rotations).where(rotations.c.id == sa.bindparam("of_rotation"))


def save(tx: Tx, rotation: Rotation) -> None:
    """Write all fields of a rotation that was read, locked and changed in this transaction."""
    tx.run(_SAVE, of_rotation=rotation.id, **_columns(rotation))


_GET = sa.select(rotations).where(rotations.c.id == sa.bindparam("of_rotation"))
# Not against references: whoever has changed a run writes down a step of this rotation, and must not wait for who waits for it.
_GET_LOCKED = _GET.with_for_update(key_share=True)


def get(tx: Tx, rotation_id: str, *, lock: bool = False) -> Rotation | None:
    """Return the rotation; with ``lock`` nobody else changes it until the transaction ends."""
    row = tx.one(_GET_LOCKED if lock else _GET, of_rotation=rotation_id)
    return _rotation(row) if row else None


def of_connection(tx: Tx, connection_id: str, *, lock: bool = False) -> Rotation | None:
    """Return the connection's own rotation, if one is or was set up and has not been retired."""
    query = sa.select(rotations).where(
        rotations.c.connection_id == connection_id,
        rotations.c.kind == Kind.CONNECTION.value,
        rotations.c.retired.is_(False),
    )
    row = tx.one(query.with_for_update(key_share=True) if lock else query)
    return _rotation(row) if row else None


def of_connections(tx: Tx, connection_ids: Sequence[str]) -> dict[str, Rotation]:
    """Return the connections' own rotations by connection id, in one query."""
    if not connection_ids:
        return {}
    query = sa.select(rotations).where(
        rotations.c.connection_id.in_(connection_ids),
        rotations.c.kind == Kind.CONNECTION.value,
        rotations.c.retired.is_(False),
    )
    return {row["connection_id"]: _rotation(row) for row in tx.rows(query)}


@dataclass(frozen=True)
class Overview:
    """What a list shows of a rotation: with the run under way, and when the current secret ends."""

    rotation: Rotation
    run: Run | None
    current_ends_at: datetime | None


_AT_ONCE = 10_000
"""Ids in one statement: SQLite takes 32 766 parameters, PostgreSQL 65 535."""


def overviews(tx: Tx, connection_ids: Sequence[str]) -> dict[str, Overview]:
    """Return the connections' own rotations by connection id, with one statement for each 10 000. Never decrypts."""
    found: dict[str, Overview] = {}
    for start in range(0, len(connection_ids), _AT_ONCE):
        for row in tx.rows(_overviews(connection_ids[start : start + _AT_ONCE])):
            found[row["connection_id"]] = Overview(_rotation(row), _joined_run(row), _ends_at(row))
    return found


def _ends_at(row: Mapping[str, Any]) -> datetime | None:
    found, _ = unread.values(row, ("current_ends_at",))
    ends_at: datetime | None = found["current_ends_at"]
    return ends_at


_JOINED_RUN = tuple(runs.c[name].label(f"run_{name}") for name in Run.__dataclass_fields__)
_UNDER_WAY = sa.and_(runs.c.rotation_id == rotations.c.id, runs.c.finished_at.is_(None))


def _joined_run(row: Mapping[str, Any]) -> Run | None:
    return _run(row, "run_") if row["run_id"] else None


def _overviews(connection_ids: Sequence[str]) -> sa.Select[Any]:
    current = sa.and_(credentials.c.rotation_id == rotations.c.id, credentials.c.state == State.CURRENT.value)
    return (
        sa.select(rotations, credentials.c.ends_at.label("current_ends_at"), *_JOINED_RUN)
        .select_from(rotations.outerjoin(credentials, current).outerjoin(runs, _UNDER_WAY))
        .where(
            rotations.c.connection_id.in_(connection_ids),
            rotations.c.kind == Kind.CONNECTION.value,
            rotations.c.retired.is_(False),
        )
    )


def rotating_in(tx: Tx, project_id: str) -> list[str]:
    """Return the names of the rotations of a project that have not been retired."""
    query = sa.select(rotations.c.name).where(rotations.c.project_id == project_id, rotations.c.retired.is_(False))
    return [row["name"] for row in tx.rows(query.order_by(rotations.c.name))]


def wake(tx: Tx, rotation_id: str, at: datetime) -> None:
    """Make the finder look at the rotation at this moment, which is now, or earlier."""
    tx.run(
        sa.update(rotations)
        .where(rotations.c.id == rotation_id, sa.or_(rotations.c.wake_at.is_(None), rotations.c.wake_at > at))
        .values(wake_at=at, wake_set_at=at)
    )


def set_wake(tx: Tx, rotation_id: str, at: datetime | None, now: datetime) -> None:
    tx.run(_SAVE, of_rotation=rotation_id, wake_at=at, wake_set_at=now)


def say(tx: Tx, rotation_id: str, status: str, message: str, now: datetime) -> None:
    """Write a status down, and nothing else."""
    tx.run(_SAVE, of_rotation=rotation_id, status=status, last_message=message, updated_at=now)


def set_sweep(tx: Tx, rotation_id: str, at: datetime) -> None:
    tx.run(_SAVE, of_rotation=rotation_id, sweep_at=at)


def set_short_lifetime(tx: Tx, rotation_id: str) -> None:
    """The tenant's policy refused the usual lifetime: ask for the shorter one from now on."""
    tx.run(_SAVE, of_rotation=rotation_id, short_lifetime=True)


_SNAPSHOT = (
    sa.select(rotations, *_JOINED_RUN, *journal.JOINED)
    .select_from(
        rotations.outerjoin(runs, _UNDER_WAY).outerjoin(
            credentials, sa.and_(credentials.c.rotation_id == rotations.c.id, journal.LIVE)
        )
    )
    .where(rotations.c.id == sa.bindparam("of_rotation"))
    .order_by(*journal.OLDEST_FIRST)
)


def snapshot(tx: Tx, rotation_id: str) -> Snapshot | None:
    """Return all that is decided from, as it was at one moment: one statement."""
    rows = tx.rows(_SNAPSHOT, of_rotation=rotation_id)
    if not rows:
        return None
    live = tuple(journal.joined(row) for row in rows if row["credential_id"])
    return Snapshot(_rotation(rows[0]), live, _joined_run(rows[0]))


def lock(tx: Tx, rotation_id: str) -> bool:
    """Keep everybody else from changing the rotation until the transaction ends; False when there is no such rotation."""
    return tx.one(_LOCK, of_rotation=rotation_id) is not None


_LOCK = sa.select(rotations.c.id).where(rotations.c.id == sa.bindparam("of_rotation")).with_for_update(key_share=True)


# --- runs -----------------------------------------------------------------------------------------------------------


_ACTIVE = sa.select(runs).where(runs.c.rotation_id == sa.bindparam("of_rotation"), runs.c.finished_at.is_(None))


def active_run(tx: Tx, rotation_id: str) -> Run | None:
    row = tx.one(_ACTIVE, of_rotation=rotation_id)
    return _run(row) if row else None


def insert_run(tx: Tx, run: Run) -> None:
    values = {name: getattr(run, name) for name in Run.__dataclass_fields__}
    tx.run(sa.insert(runs).values(**(values | {"reason": run.reason.value, "state": run.state.value})))


_CHANGE = sa.update(runs).where(runs.c.id == sa.bindparam("of_run"), runs.c.finished_at.is_(None))


def change_run(tx: Tx, run_id: str, **changes: Any) -> bool:
    """Change a run that has not finished; False when it has."""
    if "state" in changes:
        changes["state"] = changes["state"].value
    return tx.run(_CHANGE, of_run=run_id, **changes) == 1


def runs_of(tx: Tx, rotation_id: str, limit: int, before: datetime | None = None) -> list[Run]:
    """Return runs, newest first."""
    query = sa.select(runs).where(runs.c.rotation_id == rotation_id)
    if before:
        query = query.where(runs.c.created_at < before)
    return [_run(row) for row in tx.rows(query.order_by(runs.c.created_at.desc(), runs.c.id).limit(limit))]


@dataclass(frozen=True)
class StepRecord:
    """One line of a run's history. ``repeats`` counts equal attempts in a row."""

    step: str
    outcome: str
    started_at: datetime
    finished_at: datetime
    run_id: str | None = None
    credential_id: str | None = None
    repeats: int = 1
    message: str | None = None

    def same_as(self, other: "StepRecord") -> bool:
        """Whether the other is one more attempt at the same."""
        mine = (self.run_id, self.credential_id, self.step, self.outcome)
        return mine == (other.run_id, other.credential_id, other.step, other.outcome)


def record_step(
    tx: Tx, rotation_id: str, record: StepRecord, last: tuple[int, StepRecord] | None
) -> tuple[int, StepRecord]:
    """Add a line, or extend the last one if it says the same: waiting for replication must not fill the table.

    ``last`` is what the previous call returned, if this process wrote it; otherwise it is looked up.
    """
    if last is None:
        last = _last_step(tx, rotation_id)
    if last and last[1].same_as(record):
        extended = replace(record, repeats=last[1].repeats + 1, started_at=last[1].started_at)
        changes = {"repeats": extended.repeats, "finished_at": record.finished_at, "message": record.message}
        tx.run(_EXTEND_STEP, of_step=last[0], **changes)
        return last[0], extended
    added = tx.one(_ADD_STEP, rotation_id=rotation_id, **vars(record))
    return (int(added["id"]) if added else 0), record


_ADD_STEP = sa.insert(run_steps).returning(run_steps.c.id)
_EXTEND_STEP = sa.update(run_steps).where(run_steps.c.id == sa.bindparam("of_step"))
_LAST_STEP = (
    sa.select(run_steps)
    .where(run_steps.c.rotation_id == sa.bindparam("of_rotation"))
    .order_by(run_steps.c.id.desc())
    .limit(1)
)


def _last_step(tx: Tx, rotation_id: str) -> tuple[int, StepRecord] | None:
    row = tx.one(_LAST_STEP, of_rotation=rotation_id)
    return (row["id"], read_step(row)) if row else None


def read_step(row: Mapping[str, Any]) -> StepRecord:
    values, faults = unread.values(row, StepRecord.__dataclass_fields__)
    if faults:
        values |= {name: values[name] or FIRST for name in ("started_at", "finished_at")}
    return StepRecord(**values)


def steps_of(tx: Tx, run_ids: Sequence[str]) -> dict[str, list[StepRecord]]:
    """Return the steps of the runs, in order."""
    found: dict[str, list[StepRecord]] = {run_id: [] for run_id in run_ids}
    query = sa.select(run_steps).where(run_steps.c.run_id.in_(run_ids)).order_by(run_steps.c.id)
    for row in tx.rows(query):
        found[row["run_id"]].append(read_step(row))
    return found


# --- leases ---------------------------------------------------------------------------------------------------------


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
    taken = tx.one(_TAKE, of_object=object_id, now=now, holder=holder, until=now + ttl)
    if taken:
        return int(taken["token"])
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


# --- what was seen --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A password credential as last listed; ``gone_at`` once it was no longer there."""

    key_id: str
    name: str | None
    hint: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    ours: bool
    first_seen_at: datetime
    gone_at: datetime | None


_SEEN = sa.select(observed_keys).where(observed_keys.c.rotation_id == sa.bindparam("of_rotation"))


def seen(tx: Tx, rotation_id: str) -> dict[str, Seen]:
    rows = tx.rows(_SEEN, of_rotation=rotation_id)
    read = [unread.values(row, Seen.__dataclass_fields__)[0] for row in rows]
    return {one["key_id"]: Seen(**(one | {"first_seen_at": one["first_seen_at"] or FIRST})) for one in read}


def note_seen(tx: Tx, rotation_id: str, new_id: str, found: RemoteCredential, now: datetime, *, ours: bool) -> None:
    """Remember a key that is listed for the first time."""
    facts = {name: getattr(found, name) for name in ("key_id", "name", "hint", "starts_at", "ends_at")}
    tx.run(_NOTE, id=new_id, rotation_id=rotation_id, ours=ours, first_seen_at=now, **facts)


_NOTE = sa.insert(observed_keys)


def note_presence(tx: Tx, rotation_id: str, key_id: str, gone_at: datetime | None) -> None:
    tx.run(
        sa.update(observed_keys)
        .where(observed_keys.c.rotation_id == rotation_id, observed_keys.c.key_id == key_id)
        .values(gone_at=gone_at)
    )
