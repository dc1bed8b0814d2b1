"""A rotation that this process works on, and its attempts at single steps.

The order is in the types: who holds a lease has a ``RotationWork``, which makes a ``StepAttempt`` for each step that was decided,
and a step writes through its attempt alone. So whatever a step writes carries the fence and its own line of the history.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from keyturn.db.unit import Tx
from keyturn.engine import lease_store as leases
from keyturn.kit.actor import Actor, platform
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.provider import CredentialKind
from keyturn.rotations.domain import Run, Snapshot
from keyturn.rotations.protocol import Step
from keyturn.rotations.store import policies, runs
from keyturn.rotations.store.runs import StepRecord
from keyturn.rotations.targets import RotationTarget
from keyturn.rotations.work.context import WorkerContext
from keyturn.rotations.work.lease import ApplicationLease
from keyturn.rotations.work.run_record import record_run
from keyturn.rotations.work.session import Session
from keyturn.rotations.work.step_log import StepLog, step_record

MAX_TURNS = 400
"""More turns than any stretch of work has beside what removals take: reached only by a defect, which must not spin for ever."""
TURNS_OF_A_REMOVAL = 20


class RotationWork:
    """A rotation whose application's lease this process holds. Not shared between threads."""

    def __init__(
        self, context: WorkerContext, snapshot: Snapshot, lease: ApplicationLease, target: RotationTarget
    ) -> None:
        rotation = snapshot.rotation
        self.context = context
        self.target = target
        self.rotation_id = rotation.id
        self.lease = lease
        self.kind: CredentialKind = context.providers.kind(rotation.credential_kind, app_id=rotation.app_id)
        self.session = Session(context, target, self.kind, lease)
        self.log = StepLog(rotation.id)
        self.actor: Actor = platform(rotation.org_id)
        self.asked: set[str] = set()
        """Credentials asked for under this lease: the request is made once, whatever the journal says."""
        self.max_turns = MAX_TURNS + TURNS_OF_A_REMOVAL * len(snapshot.journal)
        self._seen: Snapshot | None = self._told(snapshot)

    def now(self) -> datetime:
        return self.context.clock.now()

    def snapshot(self) -> Snapshot | None:
        """Return the rotation as it is: as the last step's own transaction left it, else read anew. None when it is gone."""
        snapshot, self._seen = self._seen, None
        if snapshot is None:
            with self.context.database.read() as tx:
                snapshot = self.read(tx)
        return snapshot

    def read(self, tx: Tx) -> Snapshot | None:
        """Return the rotation as it is in this transaction; None when it is gone."""
        snapshot = policies.snapshot(tx, self.rotation_id)
        return self._told(snapshot) if snapshot else None

    def _told(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, signer_is_own=self.target.signer_is_own, seen_at=self.context.provider_time())

    def attempt(self, step: Step, snapshot: Snapshot) -> "StepAttempt":
        return StepAttempt(self, step, snapshot, self.now())

    def committed(self, line: tuple[int, StepRecord], snapshot: Snapshot | None) -> None:
        """Take over what an attempt's transaction has left."""
        self.log.last, self._seen = line, snapshot


@dataclass(frozen=True)
class StepAttempt:
    """One attempt at the step that was decided from the snapshot."""

    work: RotationWork
    step: Step
    snapshot: Snapshot
    started_at: datetime

    @contextmanager
    def write(self, outcome: str = "done", message: str | None = None) -> Iterator[Tx]:
        """The attempt's one transaction, with its line of the history: only the holder of the lease can commit it.

        Raises LeaseLost.
        """
        work = self.work
        with work.lease.write() as tx:
            yield tx
            record = step_record(self.step, self.snapshot, self.started_at, self.now(), outcome, message)
            line, snapshot = work.log.add(tx, record), work.read(tx)
            run = self.snapshot.run
            ended = runs.get(tx, run.id) if run and not (snapshot and snapshot.run) else None
            if ended is not None:
                record_run(tx, (snapshot or self.snapshot).rotation, ended.id, self.now())
        work.committed(line, snapshot)
        self._measure(record, ended)

    def _measure(self, record: StepRecord, ended: Run | None) -> None:
        meters = self.context.meters
        meters.step(record.step, record.outcome, (record.finished_at - record.started_at).total_seconds())
        if ended is not None:
            meters.run_ended(ended.reason.value, ended.state.value, (ended.failure or {}).get("code"))

    def now(self) -> datetime:
        return self.work.now()

    @property
    def run(self) -> Run:
        """The run that the step belongs to. Raises RuntimeError where there is none: ``decide`` orders no such step then."""
        if self.snapshot.run is None:
            raise RuntimeError("a step of a run without a run")
        return self.snapshot.run

    @property
    def context(self) -> WorkerContext:
        return self.work.context

    @property
    def session(self) -> Session:
        return self.work.session

    @property
    def target(self) -> RotationTarget:
        return self.work.target

    @property
    def kind(self) -> CredentialKind:
        return self.work.kind

    @property
    def actor(self) -> Actor:
        return self.work.actor


def acquire(context: WorkerContext, rotation_id: str) -> RotationWork | None:
    """Take the lease of the rotation's application; None while another process works on it, or without such a rotation."""
    with context.database.write() as tx:
        rotation = policies.get(tx, rotation_id)
        if rotation is None:
            return None
        now, target = context.clock.now(), context.targets[rotation.kind]
        token = leases.take_lease(tx, rotation.object_id, context.process_id, now, context.pace.lease)
        # Only now is what is seen certain to stay: before, somebody else may have been at work.
        snapshot = policies.snapshot(tx, rotation_id) if token else None
    if token is None or snapshot is None:
        return None
    lease = ApplicationLease(context, rotation.object_id, token, now)
    return RotationWork(context, snapshot, lease, target)
