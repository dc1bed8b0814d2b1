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
from keyturn.errors import Misconfigured, NeedsAction, NotYet, Refused, Retryable, Upstream
from keyturn.kit.moments import not_after
from keyturn.rotations import clock
from keyturn.rotations.domain import Snapshot, Step, StepName, Wait, decide
from keyturn.rotations.store import leases, policies, runs
from keyturn.rotations.work import outcome, removal, watch
from keyturn.rotations.work.hold import Hold, LeaseLost, Tools, take
from keyturn.rotations.work.steps import NETWORK, NotNow, perform

log = structlog.get_logger()

MAX_TURNS = 400
"""More turns than any stretch of work has: reached only by a defect, which must not spin for ever."""
UNREADABLE_RETRY = timedelta(minutes=5)
LIFETIME_POLICY = "azure.lifetime_policy"


class Rotator:
    """Advances rotations; safe to call for the same rotation from several processes at once."""

    def __init__(self, tools: Tools, watcher: Callable[[str, Step], None] | None = None) -> None:
        self._tools = tools
        self._watcher = watcher

    def advance(self, rotation_id: str) -> None:
        """Work on the rotation until it waits or is done. Repeatable; at once over while somebody else works on it."""
        hold = take(self._tools, rotation_id)
        if hold is None:
            return
        try:
            for _ in range(MAX_TURNS):
                if not self.turn(hold):
                    return
            log.error("rotation.does_not_rest", rotation_id=rotation_id)
        except LeaseLost:
            log.info("rotation.lease_lost", rotation_id=rotation_id)
            return
        except Exception:
            hold.release()
            raise

    def turn(self, hold: Hold) -> bool:
        """Do one step; False when the rotation rests and the lease has been given back."""
        snapshot = hold.snapshot()
        if snapshot is None:
            hold.release()
            return False
        if snapshot.unreadable:
            self._park(hold, snapshot, snapshot.unreadable)
            return False
        decision = decide(snapshot, hold.now(), hold.token, self._tools.patience)
        if isinstance(decision, Step):
            self._do(hold, snapshot, decision)
            return True
        return not self._rest(hold)

    def _park(self, hold: Hold, snapshot: Snapshot, why: str) -> None:
        """The journal cannot be understood as a whole: say so, touch nothing, and look again later."""
        log.error("rotation.unreadable", rotation_id=hold.rotation_id, reason=why)
        error = NeedsAction(why, code="rotation.unreadable", fix="Restore that row from a backup of this database.")
        with hold.write() as tx:
            now = hold.now()
            outcome.fail_unreadable(tx, hold, snapshot, error)
            policies.set_wake(tx, hold.rotation_id, now + UNREADABLE_RETRY, now)
            leases.drop_lease(tx, hold.object_id, hold.token, now)

    def _rest(self, hold: Hold) -> bool:
        """Write when to wake and give the lease back, unless something came up since the decision."""
        with hold.write() as tx:
            snapshot = policies.snapshot(tx, hold.rotation_id) if policies.lock(tx, hold.rotation_id) else None
            if snapshot is None:
                return True
            if snapshot.unreadable:
                return False
            decision = decide(snapshot, hold.now(), hold.token, self._tools.patience)
            if isinstance(decision, Step):
                return False
            now = hold.now()
            policies.set_wake(tx, hold.rotation_id, decision.until if isinstance(decision, Wait) else None, now)
            leases.drop_lease(tx, hold.object_id, hold.token, now)
        return True

    def _do(self, hold: Hold, snapshot: Snapshot, step: Step) -> None:
        if self._watcher:
            self._watcher(hold.rotation_id, step)
        if step.name in NETWORK:
            hold.before_network(writing=step.name in {StepName.ISSUE, StepName.REMOVE})
        hold.begin(step, snapshot)
        try:
            perform(hold, snapshot, step.name, step.credential)
        except NotNow as later:
            with hold.write("waiting", later.why) as tx:
                self._wait(tx, hold, snapshot, later)
        except Upstream as error:
            self._failed(hold, snapshot, step, error)
        except Misconfigured as error:
            # A stored value does not open, perhaps one of this rotation alone: it is the rotation's failure, and told as such.
            self._failed(hold, snapshot, step, NeedsAction(error.message, code=error.code, fix=error.fix))
        except Refused as error:
            if error.code != "journal.moved":
                raise

    def _failed(self, hold: Hold, snapshot: Snapshot, step: Step, error: Upstream) -> None:
        hold.forget_access()
        # A run's failure has its fix beside it; what fails after the rotation has ended is told by the step alone.
        said = error.diagnostics() if snapshot.rotation.retired else error.message
        with hold.write("failed", said[: outcome.MAX_MESSAGE]) as tx:
            self._fail(tx, hold, snapshot, step, error)
            if hold.refusal and clock.is_right(hold.tools.provider.clock_ahead()):
                watch.note_refused(tx, hold, snapshot, hold.refusal)

    def _wait(self, tx: Tx, hold: Hold, snapshot: Snapshot, later: NotNow) -> None:
        if snapshot.run:
            now = hold.now()
            runs.change_run(tx, snapshot.run.id, retry_at=now + later.wait, retry_set_at=now)

    def _fail(self, tx: Tx, hold: Hold, snapshot: Snapshot, step: Step, error: Upstream) -> None:
        row, run = step.credential, snapshot.run
        if step.name is StepName.SWEEP:
            watch.sweep_failed(tx, hold, snapshot, error)
        elif step.name is StepName.ISSUE and row:
            self._issue_failed(tx, hold, snapshot, row, error)
        elif step.name is StepName.PUBLISH:
            outcome.fail_run(tx, hold, snapshot, error)
        elif step.name is StepName.PROVE and row:
            self._proof_failed(tx, hold, snapshot, row, error)
        elif row:
            if not removal.give_up_expired(tx, hold, snapshot, row, error):
                outcome.retry_credential(tx, hold, row, error)
        elif run and outcome.may_retry(hold, run, error):
            outcome.retry_run(tx, hold, run, error)
        else:
            outcome.fail_run(tx, hold, snapshot, error)

    def _issue_failed(self, tx: Tx, hold: Hold, snapshot: Snapshot, row: Credential, error: Upstream) -> None:
        """A refusal for good is an answer: nothing was made. Anything else has to be resolved before the next request.

        That includes "slow down" and "somebody else is changing it": a gateway may say so after the work was done.
        """
        if isinstance(error, Retryable):
            row = journal.move(tx, row, ask_unknown=True)
        else:
            row = journal.move(tx, row, State.ABANDONED, value=None, ended_at=hold.now(), note=error.code)
        rotation, run = snapshot.rotation, snapshot.run
        if error.code == LIFETIME_POLICY and not (rotation.short_lifetime or rotation.lifetime_days):
            policies.set_short_lifetime(tx, rotation.id)
        elif run and outcome.may_retry(hold, run, error):
            outcome.retry_run(tx, hold, run, error)
        else:
            outcome.fail_run(tx, hold, snapshot.without(row), error)

    def _proof_failed(self, tx: Tx, hold: Hold, snapshot: Snapshot, row: Credential, error: Upstream) -> None:
        """Not yet, until the deadline; then the new secret goes and the current one stays."""
        now, pace = hold.now(), hold.tools.pace
        if row.issued_at and now - row.issued_at < pace.proof_deadline:
            issued_at = not_after(row.issued_at, now)  # else a wrong clock that noted it would move the deadline
            asked = error.retry_after if isinstance(error, Retryable) and error.retry_after else pace.proof_spacing
            late = now if isinstance(error, NotYet) else row.not_yet_at
            tries = row.proof_tries + 1
            journal.move(
                tx,
                row,
                proofs=0,
                proof_at=now,
                proof_tries=tries,
                retry_at=now + asked,
                retry_set_at=now,
                not_yet_at=late,
                issued_at=issued_at,
            )
            return
        outcome.fail_run(tx, hold, snapshot, error)
