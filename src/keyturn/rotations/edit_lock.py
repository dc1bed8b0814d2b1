"""What keeps the worker away from an application while a person's request writes what concerns its credentials."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from keyturn.db.unit import Database, Tx
from keyturn.engine import lease_store as leases
from keyturn.errors import Refused
from keyturn.ports.clock import Clock

LEASE_TRIES = 40
LEASE_PAUSE_SECONDS = 0.25


class _Busy(Exception):
    """Somebody else works on one of the applications: nothing was written."""


class EditLock:
    """Transactions of requests. ``pause`` waits between attempts; ``process_id`` is whose lease it is meanwhile, so that it
    ends if this process dies.
    """

    def __init__(self, database: Database, clock: Clock, pause: Callable[[float], object], process_id: str) -> None:
        self._database = database
        self._clock = clock
        self._pause = pause
        self._process_id = process_id

    @contextmanager
    def write(self, *object_ids: str) -> Iterator[Tx]:
        """A write transaction during which nobody else works on these applications.

        Whoever held one of their leases before has lost it, and until the transaction ends nobody can take it. Raises
        Refused when one of them stays busy for long.
        """
        for _ in range(LEASE_TRIES):
            try:
                with self._database.write() as tx:
                    self._take_over(tx, object_ids)
                    yield tx
                    return
            except _Busy:
                pass
            self._pause(LEASE_PAUSE_SECONDS)
        raise Refused(
            "This application's secrets are being worked on right now.",
            code="rotation.busy",
            fix="Try again in a minute.",
        )

    def _take_over(self, tx: Tx, object_ids: Sequence[str]) -> None:
        now = self._clock.now()
        for object_id in sorted(set(object_ids)):  # always in this order, so that two edits cannot wait for each other
            token = leases.take_lease(tx, object_id, self._process_id, now, timedelta(0))
            if token is None:
                raise _Busy
            leases.drop_lease(tx, object_id, token, now)
