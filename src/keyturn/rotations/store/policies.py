"""SQL of rotations: their policies, what lists show of them, and the snapshot that is decided from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.connections.store import CONNECTIONS
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State
from keyturn.db import unread
from keyturn.db.tables import rotations, runs
from keyturn.db.unit import Tx
from keyturn.delivery import use_store as uses
from keyturn.rotations.domain import Rotation, RotationKind, RotationState, Run, Snapshot
from keyturn.rotations.store import evidence, freezes
from keyturn.rotations.store.rows import PLAIN, schedule_columns
from keyturn.rotations.store.rows import rotation as _rotation
from keyturn.rotations.store.rows import run as _run


def _columns(rotation: Rotation) -> dict[str, Any]:
    anchor = rotation.anchor
    return {name: getattr(rotation, name) for name in PLAIN} | {
        "kind": rotation.kind.value,
        "cloud": rotation.tenant.cloud,
        "tenant_id": rotation.tenant.tenant_id,
        **schedule_columns(rotation.schedule),
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


_OWN = sa.and_(rotations.c.kind == RotationKind.CONNECTION.value, rotations.c.retired.is_(False))
"""Of the rotations that name a connection: the one of its own credential. It may sign in for others."""


def of_connection(tx: Tx, connection_id: str, *, lock: bool = False) -> Rotation | None:
    """Return the connection's own rotation, if one is or was set up and has not been retired."""
    query = sa.select(rotations).where(
        rotations.c.connection_id == connection_id,
        _OWN,
    )
    row = tx.one(query.with_for_update(key_share=True) if lock else query)
    return _rotation(row) if row else None


def of_connections(tx: Tx, connection_ids: Sequence[str]) -> dict[str, Rotation]:
    """Return the connections' own rotations by connection id, in one query."""
    if not connection_ids:
        return {}
    query = sa.select(rotations).where(
        rotations.c.connection_id.in_(connection_ids),
        _OWN,
    )
    return {row["connection_id"]: _rotation(row) for row in tx.rows(query)}


def of_application(tx: Tx, object_id: str, *, lock: bool = False) -> Rotation | None:
    """Return the rotation of an application's secret for others, if one is or was set up and has not been retired."""
    query = sa.select(rotations).where(
        rotations.c.object_id == object_id,
        rotations.c.kind == RotationKind.APPLICATION.value,
        rotations.c.retired.is_(False),
    )
    row = tx.one(query.with_for_update(key_share=True) if lock else query)
    return _rotation(row) if row else None


_AT_ONCE = 10_000
"""Ids in one statement: SQLite takes 32 766 parameters, PostgreSQL 65 535."""


_JOINED_RUN = tuple(runs.c[name].label(f"run_{name}") for name in Run.__dataclass_fields__)
_UNDER_WAY = sa.and_(runs.c.rotation_id == rotations.c.id, runs.c.finished_at.is_(None))


def _joined_run(row: Mapping[str, Any]) -> Run | None:
    return _run(row, "run_") if row["run_id"] else None


NEWEST_RUN = (
    sa.select(runs.c.id)
    .where(runs.c.rotation_id == rotations.c.id)
    .order_by(runs.c.finished_at.is_not(None), runs.c.created_at.desc(), runs.c.id)
    .limit(1)
    .correlate(rotations)
    .scalar_subquery()
)


CURRENT = sa.and_(journal.ENTRIES.c.rotation_id == rotations.c.id, journal.ENTRIES.c.state == State.CURRENT.value)
_STATES = sa.select(rotations, *journal.JOINED, *_JOINED_RUN).select_from(
    rotations.outerjoin(journal.ENTRIES, CURRENT).outerjoin(runs, runs.c.id == NEWEST_RUN)
)


def states(tx: Tx, connection_ids: Sequence[str]) -> dict[str, RotationState]:
    """Return how the connections' own rotations are, by connection id: a statement for each 10 000, and few more.

    The connections are of one organization. Never decrypts.
    """
    parts = (connection_ids[start : start + _AT_ONCE] for start in range(0, len(connection_ids), _AT_ONCE))
    some = _read_states(tx, (sa.and_(rotations.c.connection_id.in_(part), _OWN) for part in parts))
    return {str(state.rotation.connection_id): state for state in some}


def states_of_credentials(tx: Tx, credential_ids: Sequence[str]) -> dict[str, RotationState]:
    """Return how the rotations are of which one of these is the current credential, by its id, as :func:`states` does."""
    found = _read_states(tx, [journal.ENTRIES.c.id.in_(credential_ids)] if credential_ids else ())
    return {state.current.id: state for state in found if state.current}


def states_of_keys(tx: Tx, org_id: str, key_ids: Sequence[str]) -> dict[str, RotationState]:
    """Return how the rotations are of whose current credential one of these is the key id, by that, as :func:`states` does."""
    of_keys = sa.and_(rotations.c.org_id == org_id, journal.ENTRIES.c.key_id.in_(key_ids))
    found = _read_states(tx, [of_keys] if key_ids else ())
    return {state.current.key_id: state for state in found if state.current and state.current.key_id}


def _read_states(tx: Tx, conditions: Iterable[sa.ColumnElement[bool]]) -> Iterator[RotationState]:
    frozen: freezes.OrganizationFreezes | None = None
    for condition in conditions:
        for row in tx.rows(_STATES.where(condition)):
            rotation, current = _rotation(row), journal.joined(row) if row["credential_id"] else None
            frozen = frozen or freezes.of_organization(tx, rotation.org_id)
            yield RotationState(rotation, current, _joined_run(row), frozen.of(rotation))


def rotating_in(tx: Tx, project_id: str) -> list[tuple[str | None, str]]:
    """Return the rotations of a project that have not been retired: the ids of their connections, and their names."""
    query = sa.select(rotations.c.connection_id, rotations.c.name).where(
        rotations.c.project_id == project_id, rotations.c.retired.is_(False)
    )
    return [(row["connection_id"], row["name"]) for row in tx.rows(query.order_by(rotations.c.name))]


def removing_through(tx: Tx, connection_id: str) -> list[str]:
    """Return the names of ended rotations of other applications whose secrets the connection still has to remove."""
    to_do = sa.exists().where(
        journal.ENTRIES.c.rotation_id == rotations.c.id,
        journal.LIVE,
        journal.ENTRIES.c.state.not_in([State.CURRENT.value, State.RETIRING.value])
        | journal.ENTRIES.c.revoke_after.is_not(None),
    )
    query = sa.select(rotations.c.name).where(
        rotations.c.connection_id == connection_id,
        rotations.c.kind == RotationKind.APPLICATION.value,
        rotations.c.retired.is_(True),
        to_do,
    )
    return [row["name"] for row in tx.rows(query.order_by(rotations.c.name))]


def scheduled_rotations(tx: Tx, org_id: str) -> Iterator[tuple[Rotation, Credential | None]]:
    """Yield the rotations of the organization that have a schedule, each with its current credential: one statement."""
    query = sa.select(rotations, *journal.JOINED).select_from(rotations.outerjoin(journal.ENTRIES, CURRENT))
    for row in tx.rows(query.where(rotations.c.org_id == org_id, rotations.c.retired.is_(False))):
        yield _rotation(row), journal.joined(row) if row["credential_id"] else None


_REPLAN = (
    sa.update(rotations)
    .where(rotations.c.id == sa.bindparam("of_rotation"))
    .values(next_run_at=sa.bindparam("due"), moved_days=sa.bindparam("days"), wake_at=sa.bindparam("wake"))
)


def replan(tx: Tx, planned: Sequence[tuple[Rotation, datetime, int]], now: datetime) -> None:
    """Write when these run next, and by how many days that is later than the schedule asks for; at once looked at if earlier."""
    rows = [
        {"of_rotation": rotation.id, "due": due, "days": days, "wake": _earlier(rotation.wake_at, max(due, now))}
        for rotation, due, days in planned
    ]
    tx.run_all(_REPLAN, rows)


def _earlier(wake_at: datetime | None, due: datetime) -> datetime | None:
    return min(wake_at, due) if wake_at else None


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


def set_slots(tx: Tx, rotation_id: str, slots: int | None) -> None:
    tx.run(_SAVE, of_rotation=rotation_id, slots=slots)


def set_short_lifetime(tx: Tx, rotation_id: str) -> None:
    """The tenant's policy refused the usual lifetime: ask for the shorter one from now on."""
    tx.run(_SAVE, of_rotation=rotation_id, short_lifetime=True)


_SNAPSHOT = (
    sa.select(
        rotations,
        *_JOINED_RUN,
        *journal.JOINED,
        CONNECTIONS.c.published_at.label("signer_published_at"),
        CONNECTIONS.c.checked_at.label("signer_checked_at"),
        CONNECTIONS.c.check_result.label("signer_check_result"),
    )
    .select_from(
        rotations.outerjoin(runs, _UNDER_WAY)
        .outerjoin(journal.ENTRIES, sa.and_(journal.ENTRIES.c.rotation_id == rotations.c.id, journal.LIVE))
        .outerjoin(CONNECTIONS, CONNECTIONS.c.id == rotations.c.connection_id)
    )
    .where(rotations.c.id == sa.bindparam("of_rotation"))
    .order_by(*journal.OLDEST_FIRST)
)


def snapshot(tx: Tx, rotation_id: str) -> Snapshot | None:
    """Return all that is decided from: one statement, and others where a secret waits for its removal."""
    rows = tx.rows(_SNAPSHOT, of_rotation=rotation_id)
    if not rows:
        return None
    live = tuple(journal.joined(row) for row in rows if row["credential_id"])
    snapshot = Snapshot(_rotation(rows[0]), live, _joined_run(rows[0]), signer_works_since=_works_since(rows[0]))
    if any(row.state is State.RETIRING and row.promised for row in live) and not snapshot.rotation.retired:
        snapshot = replace(snapshot, windows=freezes.of_rotation(tx, snapshot.rotation))
    if not snapshot.waiting:
        return snapshot
    return replace(
        snapshot, uses=tuple(uses.of_rotation(tx, rotation_id)), evidence=evidence.of_rotation(tx, rotation_id)
    )


def _works_since(row: Mapping[str, Any]) -> datetime | None:
    """Return when the connection that signs in for another application got its credentials, or was last seen to work."""
    if row["kind"] != RotationKind.APPLICATION.value:
        return None
    moments, _ = unread.values(row, ("signer_published_at", "signer_checked_at"))
    if not (unread.mapping(row["signer_check_result"]) or {}).get("ok"):
        moments["signer_checked_at"] = None
    return max((at for at in moments.values() if at), default=None)


def lock(tx: Tx, rotation_id: str) -> bool:
    """Keep everybody else from changing the rotation until the transaction ends; False when there is no such rotation."""
    return tx.one(_LOCK, of_rotation=rotation_id) is not None


_LOCK = sa.select(rotations.c.id).where(rotations.c.id == sa.bindparam("of_rotation")).with_for_update(key_share=True)
