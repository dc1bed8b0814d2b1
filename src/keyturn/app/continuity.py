"""A time in which nobody worked on the database: the servers were off, or an older copy was put in its place.

From inside the two look the same: the last sign of life is long ago. Either way what is stored of the applications is compared
with the provider at once, and not only at the daily look.
"""

from datetime import datetime, timedelta

from structlog import get_logger

from keyturn.connections import due_store as connections
from keyturn.db.unit import Database, Tx
from keyturn.engine import store as engine
from keyturn.kit.clock import iso
from keyturn.ports.clock import Clock
from keyturn.rotations.store import due as rotations

GAP = timedelta(minutes=10)
"""Shorter ones are restarts."""
_BETWEEN = timedelta(hours=2)
"""Between two hourly checks of one process lies more only when its machine was put back to an earlier state, or slept."""


def look_at_everything(tx: Tx, now: datetime) -> None:
    """Let servers look at all applications and try all connections as soon as they can."""
    rotations.look_at_all(tx, now)
    connections.look_at_all(tx, now)


def last_sign_of_life(tx: Tx) -> datetime | None:
    """Return when a server last did something with this database; None: never, as far as it tells."""
    return max((at for at in (engine.last_seen(tx), rotations.last_step_at(tx)) if at), default=None)


class Continuity:
    """What one process knows of the time before."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._last: datetime | None = None
        self._longest = GAP

    def begin(self) -> None:
        """Read when the last process lived, before this one says that it does."""
        with self._database.read() as tx:
            self._last = last_sign_of_life(tx)

    def notice_gap(self) -> None:
        """To be called at the start and then hourly. Repeatable."""
        now, last = self._clock.now(), self._last
        if last is not None and now - last > self._longest:
            get_logger("keyturn").info("continuity.gap", last_sign_of_life=iso(last))
            with self._database.write() as tx:
                look_at_everything(tx, now)
        self._last, self._longest = now, _BETWEEN
