"""SQL for runs and the history of their steps."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.credentials import store as journal
from keyturn.db import unread
from keyturn.db.tables import rotations, run_steps, runs
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import FIRST
from keyturn.rotations.blast_radius import HOUR, IN_A_ROW, LOOKED_BACK, Recent
from keyturn.rotations.domain import Reason, RotationKind, Run, RunState
from keyturn.rotations.store.rows import run as _run

_ACTIVE = sa.select(runs).where(runs.c.rotation_id == sa.bindparam("of_rotation"), runs.c.finished_at.is_(None))


def active_run(tx: Tx, rotation_id: str) -> Run | None:
    row = tx.one(_ACTIVE, of_rotation=rotation_id)
    return _run(row) if row else None


def get(tx: Tx, run_id: str) -> Run | None:
    row = tx.one(sa.select(runs).where(runs.c.id == run_id))
    return _run(row) if row else None


def by_ids(tx: Tx, run_ids: Sequence[str]) -> dict[str, Run]:
    """Return those of the runs that are there."""
    return {row["id"]: _run(row) for row in tx.rows(sa.select(runs).where(runs.c.id.in_(run_ids)))}


def first_created(tx: Tx, rotation_ids: Collection[str]) -> dict[str, datetime]:
    """Return when the oldest run of each of the rotations was made that is kept. Those without a run are left out."""
    query = sa.select(runs.c.rotation_id, sa.func.min(runs.c.created_at).label("first"))
    rows = tx.rows(query.where(runs.c.rotation_id.in_(rotation_ids)).group_by(runs.c.rotation_id))
    return {row["rotation_id"]: row["first"] for row in rows if isinstance(row["first"], datetime)}


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


def recent_of_applications(tx: Tx, org_id: str, now: datetime) -> Recent:
    """Return what the rotations of other applications did lately, in this organization."""
    since = now - LOOKED_BACK
    lately = runs.join(rotations, rotations.c.id == runs.c.rotation_id)
    where = (
        rotations.c.org_id == org_id,
        rotations.c.kind == RotationKind.APPLICATION.value,
        rotations.c.last_attempt_at >= since,
    )
    began = sa.select(runs.c.created_at).select_from(lately).where(*where, runs.c.created_at > now - HOUR)
    scheduled = tx.rows(began.where(runs.c.reason == Reason.SCHEDULED.value))
    issued = sa.exists().where(journal.ENTRIES.c.run_id == runs.c.id, journal.ENTRIES.c.issued_at.is_not(None))
    failed = sa.and_(runs.c.state == RunState.FAILED.value, issued).label("unproven")
    ended = sa.select(failed).select_from(lately).where(*where, runs.c.finished_at >= since)
    newest = tx.rows(ended.order_by(runs.c.finished_at.desc(), runs.c.id).limit(IN_A_ROW))
    return Recent([row["created_at"] for row in scheduled], [bool(row["unproven"]) for row in newest])


NOT_YET = "not-yet"
"""The outcome of an attempt that replication explains: it is made again, and nothing has gone wrong."""


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
    row = tx.one(_ADD_STEP, rotation_id=rotation_id, **vars(record))
    return (int(row["id"]) if row else 0), record


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


def first_steps(tx: Tx, rotation_ids: Collection[str]) -> dict[str, int]:
    """Return the id of the oldest step of each of the rotations that is kept. Those without a step are left out."""
    query = sa.select(run_steps.c.rotation_id, sa.func.min(run_steps.c.id).label("first"))
    rows = tx.rows(query.where(run_steps.c.rotation_id.in_(rotation_ids)).group_by(run_steps.c.rotation_id))
    return {row["rotation_id"]: row["first"] for row in rows}


def read_step(row: Mapping[str, Any]) -> StepRecord:
    values, faults = unread.values(row, StepRecord.__dataclass_fields__)
    if faults:
        values |= {name: values[name] or FIRST for name in ("started_at", "finished_at")}
    return StepRecord(**values)


def steps_of(tx: Tx, run_ids: Sequence[str]) -> dict[str, list[StepRecord]]:
    """Return the steps of the runs, in order."""
    return {run_id: [step for _, step in steps] for run_id, steps in numbered_steps_of(tx, run_ids).items()}


def numbered_steps_of(tx: Tx, run_ids: Sequence[str]) -> dict[str, list[tuple[int, StepRecord]]]:
    """Return the steps of the runs with their ids, in order."""
    steps: dict[str, list[tuple[int, StepRecord]]] = {run_id: [] for run_id in run_ids}
    query = sa.select(run_steps).where(run_steps.c.run_id.in_(run_ids)).order_by(run_steps.c.id)
    for row in tx.rows(query):
        steps[row["run_id"]].append((row["id"], read_step(row)))
    return steps
