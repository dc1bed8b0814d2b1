"""The durable workflow: load, decide, do the step, repeat; rest when there is nothing to do before some moment.

Ids only go in, nothing comes out. Killing it anywhere and running it again from the top is harmless: the engine gives
at-least-once, the journal makes it exactly-once in effect.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from keyturn.errors import KeyturnError, Misconfigured, NeedsAction, NotYet, Refused, Upstream
from keyturn.rotations.domain import Snapshot, StepName
from keyturn.rotations.failure import Failure, after_failure
from keyturn.rotations.protocol import Decision, Step, Wait, decide
from keyturn.rotations.store import policies, runs
from keyturn.rotations.work import run_outcome
from keyturn.rotations.work.attempt import RotationWork, StepAttempt, acquire
from keyturn.rotations.work.consequences import write_consequence
from keyturn.rotations.work.context import WorkerContext
from keyturn.rotations.work.inspection import Deferred
from keyturn.rotations.work.lease import LeaseLost
from keyturn.rotations.work.steps import NETWORK, perform
from keyturn.telemetry.tracing import Attribute, Span, SpanKind

log = structlog.get_logger()

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
            with self._context.tracer.span("rotation", SpanKind.INTERNAL) as span:
                span.tell(Attribute.ROTATION_ID, rotation_id)
                for _ in range(work.max_turns):
                    if not self.turn(work):
                        return
            # The lease stays until it ends: that is the pause before it is tried again.
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
            with self._context.tracer.span(f"step {decision.name.value}", SpanKind.INTERNAL) as span:
                span.tell(Attribute.STEP, decision.name.value)
                span.tell(Attribute.RUN_ID, snapshot.run.id if snapshot.run else None)
                self._do(work, snapshot, decision, span)
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

    def _do(self, work: RotationWork, snapshot: Snapshot, step: Step, span: Span) -> None:
        if self._watcher:
            self._watcher(work.rotation_id, step)
        if step.name in NETWORK:
            work.lease.before_network(writing=step.name in {StepName.ISSUE, StepName.REMOVE})
        attempt = work.attempt(step, snapshot)
        try:
            perform(attempt)
            span.tell(Attribute.OUTCOME, "done")
        except Deferred as later:
            span.tell(Attribute.OUTCOME, "waiting")
            self._wait(attempt, later)
        except Upstream as error:
            _tell_failure(span, error)
            self._failed(attempt, error)
        except Misconfigured as error:
            # A stored value does not open, perhaps one of this rotation alone: it is the rotation's failure, and told as such.
            _tell_failure(span, error)
            self._failed(attempt, NeedsAction(error.message, code=error.code, fix=error.fix))
        except Refused as error:
            if error.code != "journal.moved":
                raise

    def _failed(self, attempt: StepAttempt, error: Upstream) -> None:
        attempt.session.forget()
        failure = Failure(
            error,
            of_signer=attempt.session.is_refusal(error),
            clock_ahead=self._context.providers.clock_ahead(),
            jitter=self._context.ids.jitter(),
        )
        # A run's failure has its fix beside it; what fails after the rotation has ended is told by the step alone.
        message = error.diagnostics() if attempt.snapshot.rotation.retired else error.message
        outcome = runs.NOT_YET if isinstance(error, NotYet) else "failed"
        with attempt.write(outcome, message[: run_outcome.MAX_MESSAGE]) as tx:
            rotation = policies.get(tx, attempt.work.rotation_id, lock=True)
            if rotation is None:
                return
            snapshot = replace(attempt.snapshot, rotation=rotation)  # its schedule may have been changed meanwhile
            for consequence in after_failure(attempt.step, snapshot, failure, attempt.now(), self._context.timings):
                write_consequence(tx, attempt, rotation, error, consequence)

    def _wait(self, attempt: StepAttempt, later: Deferred) -> None:
        run, now = attempt.snapshot.run, attempt.now()
        with attempt.write("waiting", later.why) as tx:
            if run:
                runs.change_run(tx, run.id, retry_at=now + later.wait, retry_set_at=now)


def _tell_failure(span: Span, error: KeyturnError) -> None:
    span.tell(Attribute.OUTCOME, "failed")
    span.tell(Attribute.ERROR, error.code)
    span.fail()
