"""Compares the rows of runs and of their steps with the records in the audit trail, which are under the hash chain."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeGuard

from keyturn.audit import chain_events, service
from keyturn.audit.domain import Filter, StoredEvent
from keyturn.audit.verification import Verified
from keyturn.db.unit import Database, Tx
from keyturn.kit.clock import iso
from keyturn.rotations.store import runs
from keyturn.rotations.work.run_record import run_facts, step_facts

_AT_ONCE = 200
_Facts = Mapping[str, Any]


def compare_runs(database: Database, found: Verified) -> None:
    """Add a fault for each run of the organization that is not what its record says, for each whose steps are not, and for each
    record that no server has written so.

    Rows that are gone are no fault as long as the oldest of their rotation went first: they are kept for a while only. The latest
    run and its steps stay at any age. A run without a record may be of an older version, so one that was added is not found;
    credentials are not compared: they go on changing after the run. Changes nothing.
    """
    wanted = Filter(found.chain, event=chain_events.RUN_RECORDED.name)
    while True:
        with database.read() as tx:
            part = service.newest(tx, wanted, _AT_ONCE)
            _compare(tx, part, found)
        if len(part) < _AT_ONCE:
            return
        wanted = replace(wanted, before=part[-1].id)


def _compare(tx: Tx, records: Sequence[StoredEvent], found: Verified) -> None:
    ids, rotation_ids = [str(record.data.get("runId")) for record in records], {record.subject_id for record in records}
    there, steps = runs.by_ids(tx, ids), runs.numbered_steps_of(tx, ids)
    # Read after the rows: what retention removes meanwhile is older than what is the first then.
    first_runs, first_steps = runs.first_created(tx, rotation_ids), runs.first_steps(tx, rotation_ids)
    for run_id, record in zip(ids, records, strict=True):
        run, told_run, told_steps = there.get(run_id), record.data.get("run"), record.data.get("steps", [])
        if not _is_run(told_run) or not _are_steps(told_steps):
            found.add(f"the record of run {run_id} is not as servers write it", event_id=record.id)
            continue
        if run is None and _must_be_kept(told_run, first_runs.get(record.subject_id)):
            found.add(f"run {run_id} is gone, though older ones, or the latest, are kept", event_id=record.id)
        if run is not None and run_facts(run) != told_run:
            found.add(f"run {run_id} is not as it was when it ended: its row was changed", event_id=record.id)
        rows = [step_facts(*step) for step in steps[run_id]]
        if not _go_on_as(told_steps, rows, first_steps.get(record.subject_id)):
            found.add(f"the steps of run {run_id} are not as they were when it ended", event_id=record.id)


def _is_run(told: object) -> TypeGuard[_Facts]:
    return isinstance(told, dict) and isinstance(told.get("createdAt"), str)


def _are_steps(told: object) -> TypeGuard[Sequence[_Facts]]:
    return isinstance(told, list) and all(
        isinstance(step, dict) and isinstance(step.get("id"), int) and isinstance(step.get("repeats"), int)
        for step in told
    )


def _must_be_kept(told: _Facts, first: datetime | None) -> bool:
    """Say whether the run is newer than the first that is kept of its rotation. Without any, the latest is gone in any case."""
    return first is None or bool(told["createdAt"] > iso(first))


def _go_on_as(told: Sequence[_Facts], rows: Sequence[_Facts], first: int | None) -> bool:
    """Say whether the rows are those told, from the first on that is kept of their rotation.

    What has a higher id than all those is of after the end.
    """
    if not told:
        return True
    if first is None:
        return False  # the last step of a rotation is kept at any age
    expected = [step for step in told if step["id"] >= first]
    kept = [row for row in rows if max(first, told[0]["id"]) <= row["id"] <= told[-1]["id"]]
    if not expected or not kept:
        return not expected
    *others, newest = expected
    return others == kept[:-1] and _repeats(newest, kept[-1])


def _repeats(told: _Facts, row: _Facts) -> bool:
    """Say whether the row is the step that was told, or that one with more attempts at it."""
    moved, repeats = {"finishedAt": row["finishedAt"], "repeats": row["repeats"]}, row["repeats"]
    more = isinstance(repeats, int) and repeats > told["repeats"]  # SQLite keeps any text there
    return row == told or (more and row == {**told, **moved})
