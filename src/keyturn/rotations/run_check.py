"""Compares the rows of runs and of their steps with the records in the audit trail, which are under the hash chain."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from keyturn.audit import chain_events, service
from keyturn.audit.domain import Filter, StoredEvent
from keyturn.audit.verification import Verified
from keyturn.db.unit import Database, Tx
from keyturn.rotations.store import runs
from keyturn.rotations.work.run_record import run_facts, step_facts

_AT_ONCE = 200
_Facts = Mapping[str, Any]


def compare_runs(database: Database, found: Verified) -> None:
    """Add a fault for each run of the organization that is not what its record says, and for each whose steps are not.

    Rows that are gone are no fault as long as the oldest went first: they are kept for a while only. Changes nothing.
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
    ids = [str(record.data.get("runId")) for record in records]
    there, steps = runs.by_ids(tx, ids), runs.numbered_steps_of(tx, ids)
    for run_id, record in zip(ids, records, strict=True):
        run = there.get(run_id)
        if run is not None and run_facts(run) != record.data.get("run"):
            found.add(f"run {run_id} is not as it was when it ended: its row was changed", event_id=record.id)
        if not _go_on_as(record.data.get("steps") or (), [step_facts(*step) for step in steps[run_id]]):
            found.add(f"the steps of run {run_id} are not as they were when it ended", event_id=record.id)


def _go_on_as(told: Sequence[_Facts], rows: Sequence[_Facts]) -> bool:
    """Say whether the rows are those told, from some step on. What has a higher id than all those is of after the end."""
    if not told or not rows:
        return True
    last = told[-1]
    kept = [row for row in rows if told[0]["id"] <= row["id"] <= last["id"]]
    if not kept:
        return True
    *others, newest = told[-len(kept) :]
    return others == kept[:-1] and _repeats(newest, kept[-1])


def _repeats(told: _Facts, row: _Facts) -> bool:
    """Say whether the row is the step that was told, or that one with more attempts at it."""
    moved = {"finishedAt": row["finishedAt"], "repeats": row["repeats"]}
    return row == told or (row["repeats"] > told["repeats"] and row == {**told, **moved})
