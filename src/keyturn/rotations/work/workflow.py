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
from keyturn.rotations.domain import Decision, Snapshot, Step, StepName, Wait, decide
from keyturn.rotations.store import policies, runs
from keyturn.rotations.work import removal, run_outcome, sweep
from keyturn.rotations.work.attempt import RotationWork, StepAttempt, acquire
from keyturn.rotations.work.context import WorkerContext
from keyturn.rotations.work.lease import LeaseLost
from keyturn.rotations.work.steps import NETWORK, Deferred, perform

log = structlog.get_logger()

MAX_TURNS = 400
"""More turns than any stretch of work has: reached only by a defect, which must not spin for ever."""
UNREADABLE_RETRY = timedelta(minutes=5)


class Rotator:
    """Advances rotations; safe to call for the same rotation from several processes at once."""

    def __init__(self, context: WorkerContext, watcher: Callable[[str, Step], None] | None = None) -> None:
        self._context = context
        self._watcher = watcher

    def advance(self, rotation_id: str) -> None:
        """Work on the rotation until it waits or is done. Repeatable; at once over while somebody else works on it."""
        work = acquire(self._context, rotation_id)
        if work is None:
            return
        try:
            for _ in range(MAX_TURNS):
                if not self.turn(work):
                    return
            log.error("rotation.does_not_rest", rotation_id=rotation_id)
        except LeaseLost:
            log.info("rotation.lease_lost", rotation_id=rotation_id)
            return
        except Exception:
            work.lease.release()
            raise

    def turn(self, work: RotationWork) -> bool:
        """Do one step; False when the rotation rests and the lease has been given back."""
        snapshot = work.snapshot()
        if snapshot is None:
            work.lease.release()
            return False
        if snapshot.unreadable:
            self._park(work, snapshot, snapshot.unreadable)
            return False
        decision = self._decide(work, snapshot)
        if isinstance(decision, Step):
            self._do(work, snapshot, decision)
            return True
        return not self._rest(work)

    def _decide(self, work: RotationWork, snapshot: Snapshot) -> Decision:
        return decide(snapshot, work.now(), work.lease.token, self._context.timings)

    def _park(self, work: RotationWork, snapshot: Snapshot, why: str) -> None:
        """The journal cannot be understood as a whole: say so, touch nothing, and look again later."""
        log.error("rotation.unreadable", rotation_id=work.rotation_id, reason=why)
        error = NeedsAction(why, code="rotation.unreadable", fix="Restore that row from a backup of this database.")
        with work.lease.write() as tx:
            now = work.now()
            run_outcome.fail_unreadable(tx, work, snapshot, error)
            policies.set_wake(tx, work.rotation_id, now + UNREADABLE_RETRY, now)
            work.lease.drop(tx)

    def _rest(self, work: RotationWork) -> bool:
        """Write when to wake and give the lease back, unless something came up since the decision."""
        with work.lease.write() as tx:
            snapshot = work.read(tx) if policies.lock(tx, work.rotation_id) else None
            if snapshot is None:
                return True
            if snapshot.unreadable:
                return False
            decision = self._decide(work, snapshot)
            if isinstance(decision, Step):
                return False
            now = work.now()
            policies.set_wake(tx, work.rotation_id, decision.until if isinstance(decision, Wait) else None, now)
            work.lease.drop(tx)
        return True

    def _do(self, work: RotationWork, snapshot: Snapshot, step: Step) -> None:
        if self._watcher:
            self._watcher(work.rotation_id, step)
        if step.name in NETWORK:
            work.lease.before_network(writing=step.name in {StepName.ISSUE, StepName.REMOVE})
        attempt = work.attempt(step, snapshot)
        try:
            perform(attempt)
        except Deferred as later:
            with attempt.write("waiting", later.why) as tx:
                self._wait(tx, attempt, later)
        except Upstream as error:
            self._failed(attempt, error)
        except Misconfigured as error:
            # A stored value does not open, perhaps one of this rotation alone: it is the rotation's failure, and told as such.
            self._failed(attempt, NeedsAction(error.message, code=error.code, fix=error.fix))
        except Refused as error:
            if error.code != "journal.moved":
                raise

    def _failed(self, attempt: StepAttempt, error: Upstream) -> None:
        attempt.session.forget()
        # A run's failure has its fix beside it; what fails after the rotation has ended is told by the step alone.
        message = error.diagnostics() if attempt.snapshot.rotation.retired else error.message
        with attempt.write("failed", message[: run_outcome.MAX_MESSAGE]) as tx:
            self._fail(tx, attempt, error)
            if attempt.session.is_refusal(error) and is_right(attempt.context.provider.clock_ahead()):
                sweep.note_refused(tx, attempt, error)

    def _wait(self, tx: Tx, attempt: StepAttempt, later: Deferred) -> None:
        run, now = attempt.snapshot.run, attempt.now()
        if run:
            runs.change_run(tx, run.id, retry_at=now + later.wait, retry_set_at=now)

    def _fail(self, tx: Tx, attempt: StepAttempt, error: Upstream) -> None:
        work, snapshot, step = attempt.work, attempt.snapshot, attempt.step
        row, run = step.credential, snapshot.run
        if step.name is StepName.SWEEP:
            sweep.sweep_failed(tx, attempt, error)
        elif step.name is StepName.ISSUE and row:
            self._issue_failed(tx, attempt, row, error)
        elif step.name is StepName.PUBLISH:
            run_outcome.fail_run(tx, work, snapshot, error)
        elif step.name is StepName.PROVE and row:
            self._proof_failed(tx, attempt, row, error)
        elif row:
            if not removal.give_up_expired(tx, attempt, row, error):
                run_outcome.retry_credential(tx, work, row, error)
        elif run and run_outcome.may_retry(work, run, error):
            run_outcome.retry_run(tx, work, run, error)
        else:
            run_outcome.fail_run(tx, work, snapshot, error)

    def _issue_failed(self, tx: Tx, attempt: StepAttempt, row: Credential, error: Upstream) -> None:
        """A refusal for good is an answer: nothing was made. Anything else has to be resolved before the next request.

        That includes "slow down" and "somebody else is changing it": a gateway may say so after the work was done.
        """
        work, snapshot = attempt.work, attempt.snapshot
        if isinstance(error, Retryable):
            row = journal.move(tx, row, ask_unknown=True)
        else:
            row = journal.move(tx, row, State.ABANDONED, value=None, ended_at=work.now(), note=error.code)
        rotation, run = snapshot.rotation, snapshot.run
        if error.reason is RefusalReason.LIFETIME and not (rotation.short_lifetime or rotation.lifetime_days):
            policies.set_short_lifetime(tx, rotation.id)
        elif run and run_outcome.may_retry(work, run, error):
            run_outcome.retry_run(tx, work, run, error)
        else:
            run_outcome.fail_run(tx, work, snapshot.without(row), error)

    def _proof_failed(self, tx: Tx, attempt: StepAttempt, row: Credential, error: Upstream) -> None:
        """Not yet, until the deadline; then the new secret goes and the current one stays."""
        now, pace = attempt.now(), attempt.context.pace
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
        run_outcome.fail_run(tx, attempt.work, attempt.snapshot, error)
