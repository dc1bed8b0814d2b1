"""Evaluates and delivers alarms in threads of their own: where rotations are stuck, or no process rotates, somebody is told.

Every process has one, those that only serve as well. What is due is claimed in the database, so each piece is done by one.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog

from keyturn.db.unit import Database
from keyturn.engine.loop import Loop
from keyturn.engine.payload import describe_error, whereabouts
from keyturn.engine.sources import Source
from keyturn.ports.clock import Clock
from keyturn.ports.work import Work

_log = structlog.get_logger("keyturn.alarms")

THREADS = 4
_LOOK_EVERY = timedelta(seconds=1)
_MORE = timedelta(milliseconds=50)


class AlarmWatch:
    """Looks once a second; costs a look at an index of each source when nothing is due."""

    def __init__(self, database: Database, clock: Clock, sources: Sequence[Source]) -> None:
        self._database = database
        self._clock = clock
        self._sources = sources
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="alarms")
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._loop = Loop("watch of alarms", self._round, _LOOK_EVERY)

    def start(self) -> None:
        self._loop.start()

    def stop(self, grace: timedelta) -> None:
        """Take no more; what is under way comes to its end, or is done again by another process."""
        self._loop.stop(grace)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def tick(self) -> bool:
        """Hand out what is due and there is a thread for; say whether anything was. For the loop, and for tests."""
        found = False
        for source in self._sources:
            found = self._hand_out(source) or found
        return found

    def _round(self) -> timedelta:
        return _MORE if self.tick() else _LOOK_EVERY

    def _hand_out(self, source: Source) -> bool:
        room, now = THREADS - len(self._busy), self._clock.now()
        if room <= 0:
            return False
        with self._database.read() as tx:
            if not source.is_due(tx, now):
                return False
        with self._database.write() as tx:
            claimed = source.claim(tx, now, room)
        later = [work for work in claimed if not self._begin(source, work)]
        if later:
            with self._database.write() as tx:
                source.put_back(tx, later, now, self._clock.now())
        return len(claimed) > len(later)

    def _begin(self, source: Source, work: Work) -> bool:
        with self._lock:
            if work.partition in self._busy:
                return False
            self._busy.add(work.partition)
        self._pool.submit(self._do, source, work)
        return True

    def _do(self, source: Source, work: Work) -> None:
        try:
            source.do(work.id)
        except Exception as error:  # noqa: BLE001 - its claim runs out, and it is done again
            _log.error("work on alarms failed", kind=work.kind, **describe_error(error), at=whereabouts(error))
        finally:
            with self._lock:
                self._busy.discard(work.partition)
