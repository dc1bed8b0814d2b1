"""Finds due rotations, and connections that are to be looked at, and submits them to the engine.

Every reason to work on a rotation is its row's ``wake_at``. A claim moves it a little ahead in the same transaction, so that
no other process finds the rotation meanwhile, and so that a submission that was lost is simply found again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from keyturn.db.unit import Database
from keyturn.engine import store
from keyturn.engine.loop import Loop
from keyturn.ports.clock import Clock
from keyturn.ports.work import Engine

CLAIM = timedelta(seconds=10)
"""As long as this nobody else finds what a process found that died before it submitted it."""
BUSY = timedelta(seconds=2)
LOOK = "look:"
"""Work whose id begins so is a look at the connection that is named after it."""
LOOKS_AT_ONCE = 2
LOOKS_APART = timedelta(seconds=1)
LOOK_CLAIM = timedelta(hours=1)
"""When a look is tried again that never came to its end."""
_MORE = timedelta(milliseconds=20)


@dataclass(frozen=True)
class Found:
    """``submitted`` items now belong to the engine; ``more`` says that others may be due right now."""

    submitted: int
    more: bool


class Finder:
    """Hands due rotations to the engine, as many as it has room for. Costs one look at an index when nothing is due.

    A few more than run at once are handed over, so that a thread that becomes free has something to do, and so that a busy
    server looks once for several of them.
    """

    def __init__(
        self, database: Database, clock: Clock, engine: Engine, concurrency: int, find_every: timedelta
    ) -> None:
        self._database = database
        self._clock = clock
        self._engine = engine
        self._ahead = concurrency // 4
        self._limit = concurrency + self._ahead
        self._find_every = find_every
        self._looked_at: datetime | None = None
        self._loop = Loop("finder of due work", self._round, find_every)

    def tick(self) -> Found:
        """Look once. Safe to repeat, and from several processes at once: each due rotation is claimed by one."""
        room = self._limit - self._engine.in_flight()
        if room <= self._ahead // 2:
            return Found(0, more=True)
        now = self._clock.now()
        with self._database.read() as tx:
            work, looks = store.any_due(tx, now)
        looked = self._looks(now, room) if looks else 0
        found = self._work(now, room - looked) if work else Found(0, more=False)
        return Found(found.submitted + looked, found.more)

    def _looks(self, now: datetime, room: int) -> int:
        """Begin a few looks at connections: all that have come due meanwhile must not be looked at in the same moment."""
        if self._looked_at and abs(now - self._looked_at) < LOOKS_APART:
            return 0
        self._looked_at = now
        with self._database.write() as tx:
            claimed = store.claim_looks(tx, now, min(LOOKS_AT_ONCE, room // 2), now + LOOK_CLAIM)
        return sum(self._engine.submit(LOOK + one, LOOK + one) for one in claimed)

    def _work(self, now: datetime, room: int) -> Found:
        until = now + CLAIM
        with self._database.write() as tx:
            claimed = store.claim_due(tx, now, room, until)
        busy = [due.rotation_id for due in claimed if not self._engine.submit(due.rotation_id, due.object_id)]
        if busy:
            with self._database.write() as tx:
                later = self._clock.now()
                store.postpone(tx, busy, until, later + BUSY, later)
        return Found(len(claimed) - len(busy), more=len(claimed) == room)

    def start(self) -> None:
        self._loop.start()

    def nudge(self) -> None:
        """Look now: something has just become due. Safe from any thread."""
        self._loop.nudge()

    def stop(self, grace: timedelta) -> None:
        """Look no more; waits at most the grace period for a round under way."""
        self._loop.stop(grace)

    def _round(self) -> timedelta:
        return min(_MORE, self._find_every) if self.tick().more else self._find_every
