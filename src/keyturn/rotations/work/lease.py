"""One writer per application: the lease that a process holds while it works on one, with fencing.

Every write of the journal goes through :meth:`ApplicationLease.write`, which checks the fencing token in the same transaction.
A process that was only slow therefore cannot write after another has taken over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from keyturn.db.unit import Tx
from keyturn.engine import lease_store as leases
from keyturn.rotations.work.context import WorkerContext

RENEWED_RECENTLY = timedelta(seconds=1)
"""A lease renewed this recently is not renewed again before a write: the request may well take as long to arrive.

A process that considers this one dead does not end such a lease: see ``engine.dead_processes.last_end``.
"""


class LeaseLost(Exception):
    """Another process took over. Whatever was under way here is no longer ours to write down."""


class ApplicationLease:
    """The right of this process to work on one application. Not shared between threads."""

    def __init__(self, context: WorkerContext, object_id: str, token: int, kept_at: datetime) -> None:
        self.object_id = object_id
        self.token = token
        self._context = context
        self._kept_at = kept_at

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A write transaction that only the holder of the lease can commit. Raises LeaseLost."""
        with self._context.database.write() as tx:
            kept_at = self._keep(tx)
            yield tx
        self._kept_at = kept_at

    def before_network(self, *, writing: bool = False) -> None:
        """Make sure that the lease outlives the calls that follow; before a write, that it is still ours. Raises LeaseLost."""
        pace, age = self._context.pace, self._context.clock.now() - self._kept_at
        longest = RENEWED_RECENTLY if writing else pace.lease - 3 * pace.call_timeout
        if timedelta() <= age < longest:
            return
        with self.write():
            pass

    def _keep(self, tx: Tx) -> datetime:
        # Counted from when the transaction has begun: waiting for that may have taken long.
        now = self._context.clock.now()
        if not leases.keep_lease(tx, self.object_id, self.token, now + self._context.pace.lease):
            raise LeaseLost(self.object_id)
        return now

    def drop(self, tx: Tx) -> None:
        """Give the lease back as the transaction commits. Harmless when it was lost."""
        leases.drop_lease(tx, self.object_id, self.token, self._context.clock.now())

    def release(self) -> None:
        """Give the lease back. Harmless when it was lost."""
        with self._context.database.write() as tx:
            self.drop(tx)
