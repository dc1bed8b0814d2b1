"""Finds due work of all kinds and submits it to the engine. Knows no feature: see sources.py."""

from collections import deque
from datetime import datetime, timedelta

import structlog

from keyturn.db.trouble import trouble_of
from keyturn.db.unit import Database
from keyturn.engine.loop import Loop
from keyturn.engine.payload import describe_error, whereabouts
from keyturn.engine.sources import Source, Sources
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.ports.work import Engine, Work

_log = structlog.get_logger("keyturn.engine")

_MORE = timedelta(milliseconds=20)
_JUST_AFTER = timedelta(milliseconds=1)


@dataclass(frozen=True)
class TickResult:
    """``submitted`` items now belong to the engine; ``more`` says that others may be due right now."""

    submitted: int
    more: bool


class Finder:
    """Hands due work to the engine, as much as it has room for. Costs a look at an index of each source when nothing is due.

    Sources that have something share the room: each gets an equal part of it, what one does not use is the next one's, and who
    got something goes to the end of the line. A few more pieces than run at once are handed over, so that a thread that becomes
    free has something to do, and so that a busy server looks once for several of them.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        engine: Engine,
        sources: Sources,
        concurrency: int,
        find_every: timedelta,
    ) -> None:
        self._database = database
        self._clock = clock
        self._engine = engine
        self._line = deque(sources)
        self._ahead = concurrency // 4
        self._limit = concurrency + self._ahead
        self._find_every = find_every
        self._loop = Loop("finder of due work", self._round, find_every)

    def tick(self) -> TickResult:
        """Look once. Safe to repeat, and from several processes at once: each due piece is claimed by one.

        What a source raises is logged, and the others go on. Raises when the database is in trouble: then it is so for all.
        """
        room = self._limit - self._engine.in_flight()
        if room <= self._ahead // 2:
            return TickResult(0, more=True)
        now = self._clock.now()
        due = [source for source in tuple(self._line) if self._is_due(source, now)]
        before, more = room, False
        for place, source in enumerate(due):
            share = -(-room // (len(due) - place))  # rounded up: the last room goes to whoever has waited longest
            if not share:
                more = True
                break
            claimed, submitted = self._hand_over(source, now, share)
            room -= submitted
            more = more or claimed == share
        return TickResult(before - room, more)

    def _is_due(self, source: Source, now: datetime) -> bool:
        try:
            with self._database.read() as tx:
                return source.is_due(tx, now)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            self._report(source, error)
            return False

    def _hand_over(self, source: Source, now: datetime, share: int) -> tuple[int, int]:
        """Claim what is due of this source, at most so many pieces; return how many were claimed and how many submitted."""
        self._line.remove(source)
        self._line.append(source)
        claimed: list[Work] = []
        busy: list[Work] = []
        try:
            with self._database.write() as tx:
                claimed = source.claim(tx, now, share)
            busy = [work for work in claimed if not self._engine.submit(work)]
            if busy:
                with self._database.write() as tx:
                    source.put_back(tx, busy, now, self._clock.now())
        except Exception as error:  # noqa: BLE001 - as above
            self._report(source, error)
        return len(claimed), len(claimed) - len(busy)

    def _report(self, source: Source, error: Exception) -> None:
        """Log what a source raised. Raises it again when the database is in trouble: then it is so for all of them."""
        if trouble_of(error):
            raise error
        _log.error("looking for due work failed", kind=source.kind, **describe_error(error), at=whereabouts(error))

    def pause(self) -> timedelta:
        """Return how long the next look can wait: until the next piece comes due that is known, and not longer than usual."""
        now = self._clock.now()
        with self._database.read() as tx:
            known = [source.due_before(tx, now, now + self._find_every) for source in self._line]
        waits = [moment - now + _JUST_AFTER for moment in known if moment]
        return min([*waits, self._find_every])

    def start(self) -> None:
        self._loop.start()

    def nudge(self) -> None:
        """Look now: something has just become due. Safe from any thread."""
        self._loop.nudge()

    def stop(self, grace: timedelta) -> None:
        """Look no more; waits at most the grace period for a round under way."""
        self._loop.stop(grace)

    def _round(self) -> timedelta:
        return min(_MORE, self._find_every) if self.tick().more else self.pause()
