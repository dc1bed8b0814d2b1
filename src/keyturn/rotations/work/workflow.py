"""The durable workflow: load, decide, do the step, repeat; rest when there is nothing to do before some moment.

Ids only go in, nothing comes out. Killing it anywhere and running it again from the top is harmless: the engine gives
at-least-once, the journal makes it exactly-once in effect.
"""

from collections.abc import Callable
from datetime import timedelta

import structlog

from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Tx
from keyturn.errors import Misconfigured, NeedsAction, NotYet, RefusalReason, Refused, Retryable, Upstream
from keyturn.kit.clock_difference import is_right
from keyturn.kit.moments import not_after
from keyturn.rotations.domain import Snapshot, Step, StepName, Wait, decide
from keyturn.rotations.store import leases, policies, runs
from keyturn.rotations.work import removal, run_outcome, sweep
from keyturn.rotations.work.lease import ApplicationLease, LeaseLost, WorkerContext, acquire
from keyturn.rotations.work.steps import NETWORK, Deferred, perform

log = structlog.get_logger()

MAX_TURNS = 400
"""More turns than any stretch of work has: reached only by a defect, which must not spin for ever."""
UNREADABLE_RETRY = timedelta(minutes=5)


class Rotator:
    """Advances rotations; safe to call for the same rotation from several processes at once."""

    def __init__(self, context: WorkerContext, watcher: Callable[[str, Step], None] | None = None) -> None:
        self._tools = context
        self._watcher = watcher

    def advance(self, rotation_id: str) -> None:
        """Work on the rotation until it waits or is done. Repeatable; at once over while somebody else works on it."""
        lease = acquire(self._tools, rotation_id)
        if lease is None:
            return
        try:
            for _ in range(MAX_TURNS):
                if not self.turn(lease):
                    return
            log.error("rotation.does_not_rest", rotation_id=rotation_id)
        except LeaseLost:
            log.info("rotation.lease_lost", rotation_id=rotation_id)
            return
        except Exception:
            lease.release()
            raise

    def turn(self, lease: ApplicationLease) -> bool:
        """Do one step; False when the rotation rests and the lease has been given back."""
        snapshot = lease.snapshot()
        if snapshot is None:
            lease.release()
            return False
        if snapshot.unreadable:
            self._park(lease, snapshot, snapshot.unreadable)
            return False
        decision = decide(snapshot, lease.now(), lease.token, self._tools.patience)
        if isinstance(decision, Step):
            self._do(lease, snapshot, decision)
            return True
        return not self._rest(lease)

    def _park(self, lease: ApplicationLease, snapshot: Snapshot, why: str) -> None:
        """The journal cannot be understood as a whole: say so, touch nothing, and look again later."""
        log.error("rotation.unreadable", rotation_id=lease.rotation_id, reason=why)
        error = NeedsAction(why, code="rotation.unreadable", fix="Restore that row from a backup of this database.")
        with lease.write() as tx:
            now = lease.now()
            run_outcome.fail_unreadable(tx, lease, snapshot, error)
            policies.set_wake(tx, lease.rotation_id, now + UNREADABLE_RETRY, now)
            leases.drop_lease(tx, lease.object_id, lease.token, now)

    def _rest(self, lease: ApplicationLease) -> bool:
        """Write when to wake and give the lease back, unless something came up since the decision."""
        with lease.write() as tx:
            snapshot = policies.snapshot(tx, lease.rotation_id) if policies.lock(tx, lease.rotation_id) else None
            if snapshot is None:
                return True
            if snapshot.unreadable:
                return False
            decision = decide(snapshot, lease.now(), lease.token, self._tools.patience)
            if isinstance(decision, Step):
                return False
            now = lease.now()
            policies.set_wake(tx, lease.rotation_id, decision.until if isinstance(decision, Wait) else None, now)
            leases.drop_lease(tx, lease.object_id, lease.token, now)
        return True

    def _do(self, lease: ApplicationLease, snapshot: Snapshot, step: Step) -> None:
        if self._watcher:
            self._watcher(lease.rotation_id, step)
        if step.name in NETWORK:
            lease.before_network(writing=step.name in {StepName.ISSUE, StepName.REMOVE})
        lease.begin(step, snapshot)
        try:
            perform(lease, snapshot, step.name, step.credential)
        except Deferred as later:
            with lease.write("waiting", later.why) as tx:
                self._wait(tx, lease, snapshot, later)
        except Upstream as error:
            self._failed(lease, snapshot, step, error)
        except Misconfigured as error:
            # A stored value does not open, perhaps one of this rotation alone: it is the rotation's failure, and told as such.
            self._failed(lease, snapshot, step, NeedsAction(error.message, code=error.code, fix=error.fix))
        except Refused as error:
            if error.code != "journal.moved":
                raise

    def _failed(self, lease: ApplicationLease, snapshot: Snapshot, step: Step, error: Upstream) -> None:
        lease.forget_access()
        # A run's failure has its fix beside it; what fails after the rotation has ended is told by the step alone.
        message = error.diagnostics() if snapshot.rotation.retired else error.message
        with lease.write("failed", message[: run_outcome.MAX_MESSAGE]) as tx:
            self._fail(tx, lease, snapshot, step, error)
            if lease.refusal and is_right(lease.context.provider.clock_ahead()):
                sweep.note_refused(tx, lease, snapshot, lease.refusal)

    def _wait(self, tx: Tx, lease: ApplicationLease, snapshot: Snapshot, later: Deferred) -> None:
        if snapshot.run:
            now = lease.now()
            runs.change_run(tx, snapshot.run.id, retry_at=now + later.wait, retry_set_at=now)

    def _fail(self, tx: Tx, lease: ApplicationLease, snapshot: Snapshot, step: Step, error: Upstream) -> None:
        row, run = step.credential, snapshot.run
        if step.name is StepName.SWEEP:
            sweep.sweep_failed(tx, lease, snapshot, error)
        elif step.name is StepName.ISSUE and row:
            self._issue_failed(tx, lease, snapshot, row, error)
        elif step.name is StepName.PUBLISH:
            run_outcome.fail_run(tx, lease, snapshot, error)
        elif step.name is StepName.PROVE and row:
            self._proof_failed(tx, lease, snapshot, row, error)
        elif row:
            if not removal.give_up_expired(tx, lease, snapshot, row, error):
                run_outcome.retry_credential(tx, lease, row, error)
        elif run and run_outcome.may_retry(lease, run, error):
            run_outcome.retry_run(tx, lease, run, error)
        else:
            run_outcome.fail_run(tx, lease, snapshot, error)

    def _issue_failed(
        self, tx: Tx, lease: ApplicationLease, snapshot: Snapshot, row: Credential, error: Upstream
    ) -> None:
        """A refusal for good is an answer: nothing was made. Anything else has to be resolved before the next request.

        That includes "slow down" and "somebody else is changing it": a gateway may say so after the work was done.
        """
        if isinstance(error, Retryable):
            row = journal.move(tx, row, ask_unknown=True)
        else:
            row = journal.move(tx, row, State.ABANDONED, value=None, ended_at=lease.now(), note=error.code)
        rotation, run = snapshot.rotation, snapshot.run
        if error.reason is RefusalReason.LIFETIME and not (rotation.short_lifetime or rotation.lifetime_days):
            policies.set_short_lifetime(tx, rotation.id)
        elif run and run_outcome.may_retry(lease, run, error):
            run_outcome.retry_run(tx, lease, run, error)
        else:
            run_outcome.fail_run(tx, lease, snapshot.without(row), error)

    def _proof_failed(
        self, tx: Tx, lease: ApplicationLease, snapshot: Snapshot, row: Credential, error: Upstream
    ) -> None:
        """Not yet, until the deadline; then the new secret goes and the current one stays."""
        now, pace = lease.now(), lease.context.pace
        if row.issued_at and now - row.issued_at < pace.proof_deadline:
            issued_at = not_after(row.issued_at, now)  # else a wrong clock that noted it would move the deadline
            retry_after = (
                error.retry_after if isinstance(error, Retryable) and error.retry_after else pace.proof_spacing
            )
            late = now if isinstance(error, NotYet) else row.not_yet_at
            tries = row.proof_tries + 1
            journal.move(
                tx,
                row,
                proofs=0,
                proof_at=now,
                proof_tries=tries,
                retry_at=now + retry_after,
                retry_set_at=now,
                not_yet_at=late,
                issued_at=issued_at,
            )
            return
        run_outcome.fail_run(tx, lease, snapshot, error)
