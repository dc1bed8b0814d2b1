"""The history of a rotation's steps, as people see it beside each run."""

from datetime import datetime

from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations.domain import Snapshot
from keyturn.rotations.protocol import Step
from keyturn.rotations.store import runs
from keyturn.rotations.store.runs import StepRecord


@dataclass
class StepLog:
    """The history of one rotation while this process works on it. Equal attempts in a row become one line."""

    rotation_id: str
    last: tuple[int, StepRecord] | None = None
    """The newest line with its id; set by whoever has committed it. None until this process has written one."""

    def add(self, tx: Tx, record: StepRecord) -> tuple[int, StepRecord]:
        """Write the line, or extend the newest. Returns what becomes ``last`` once the transaction is committed."""
        return runs.record_step(tx, self.rotation_id, record, self.last)


def step_record(
    step: Step, snapshot: Snapshot, started_at: datetime, finished_at: datetime, outcome: str, message: str | None
) -> StepRecord:
    """Return the line of an attempt. It belongs to the run under way, else to the one that made or replaced the credential."""
    row, run = step.credential, snapshot.run
    run_id = run.id if run else (row.retired_by or row.run_id) if row else None
    return StepRecord(
        step.name.value,
        outcome,
        started_at,
        finished_at,
        run_id=run_id,
        credential_id=row.id if row else None,
        message=message,
    )
