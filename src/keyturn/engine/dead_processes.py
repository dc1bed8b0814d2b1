"""Heartbeats of this process, and adoption of what dead processes left.

Each process updates a row with every heartbeat. One that has not for ``dead_after`` is dead; one of this very machine that no
longer exists is dead at once. Its work is struck off, its leases end, and what it was for is made due, for other processes to
find. All of it may happen twice: a process that was only slow finds its leases gone and writes nothing more.
"""

import os
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from keyturn.db.unit import Database
from keyturn.engine import process_identity, store
from keyturn.engine.loop import Loop
from keyturn.engine.sources import Wake
from keyturn.engine.store import Lease, Process
from keyturn.kit.moments import CLOCKS_APART, bound_delay, not_after
from keyturn.ports.clock import Clock
from keyturn.settings.model import Pace

_log = structlog.get_logger("keyturn.engine")

HOUSEKEEPING = timedelta(minutes=1)


class Works(Protocol):
    """The engine's side of adoption."""

    def holders(self) -> set[str]:
        """Return the ids of the processes, living or dead, that have work under way."""
        ...

    def release(self, process_id: str) -> list[str]:
        """Strike off what this dead process had under way; return the partitions of it. Safe to repeat."""
        ...

    def in_flight(self) -> int:
        """Return how many items are queued or running in this process."""
        ...

    def tidy(self) -> None:
        """Delete some rows of work that ended long ago."""
        ...


def last_end(seen_at: datetime, pace: Pace) -> datetime:
    """Return when the leases end at the latest that a process kept before its last heartbeat.

    Who keeps a lease after that was only slow and is at work again: ending that lease would let two processes write to one
    application. Both moments are by the clock of that process.
    """
    return seen_at + 2 * pace.heartbeat + pace.lease


class Heartbeat:
    """This process among the others of the installation. ``process_id`` is fresh and random for each start.

    ``wake`` makes due what was under way for some partitions, as the sources of work do.
    """

    def __init__(self, database: Database, clock: Clock, works: Works, wake: Wake, process_id: str, pace: Pace) -> None:
        self._database = database
        self._clock = clock
        self._works = works
        self._wake = wake
        self._process_id = process_id
        self._pace = pace
        self._pid = os.getpid()
        self._host = process_identity.describe(self._pid) or ""
        self._last: dict[str, tuple[datetime, datetime]] = {}  # id -> (its heartbeat, when we first saw that one)
        self._housekeeping_at = clock.now()
        self._stuck = StuckLeases(database, clock, pace, wake)
        self._loop = Loop("heartbeat", self._round, pace.heartbeat)

    def announce(self) -> None:
        """Write the row of this process. To be called before the engine starts: work of unknown processes is struck off."""
        now = self._clock.now()
        with self._database.write() as tx:
            if not store.beat(tx, self._process_id, now):
                store.add_process(tx, Process(self._process_id, self._host, self._pid, now))

    def tick(self) -> list[str]:
        """Write the heartbeat, end leases of dead processes, and return their ids. Needs a started engine. Safe to repeat."""
        self.announce()
        with self._database.read() as tx:
            processes = store.list_processes(tx)
        others = [process for process in processes if process.id != self._process_id]
        self._last = {process.id: self._observed(process) for process in others}
        dead = [process for process in others if self._is_dead(process)]
        for process in dead:
            self._bury(process)
        now = self._clock.now()
        if now >= bound_delay(self._housekeeping_at, now, HOUSEKEEPING):
            self._housekeeping_at = self._clock.now() + HOUSEKEEPING
            self._keep_house()
        return [process.id for process in dead]

    def start(self) -> None:
        """Look for the dead at once and then with every heartbeat, in a thread of its own."""
        self._loop.start()

    def stop(self, grace: timedelta) -> None:
        """Remove the row of this process. To be called after the engine has stopped.

        When work of this process still runs the row stays: without further heartbeats it is found dead.
        """
        self._loop.stop(grace)
        if self._works.in_flight():
            return
        with self._database.write() as tx:
            for process in store.list_processes(tx):
                if process.id == self._process_id:
                    store.remove_process(tx, process.id, process.seen_at)
            now = self._clock.now()
            freed = store.free_leases(tx, self._process_id, now)
            self._wake(tx, freed, now)

    def _round(self) -> timedelta:
        self.tick()
        return self._pace.heartbeat

    def _observed(self, process: Process) -> tuple[datetime, datetime]:
        last = self._last.get(process.id)
        now = self._clock.now()
        return (last[0], not_after(last[1], now)) if last and last[0] == process.seen_at else (process.seen_at, now)

    def _is_dead(self, process: Process) -> bool:
        if process_identity.is_gone(process.host, process.pid):
            return True
        now = self._clock.now()
        # Its clock may differ from ours, so it must also have been silent while we looked. What is ahead of ours says nothing.
        watched_for = now - self._last[process.id][1]
        silent_for = now - process.seen_at if process.seen_at <= now else watched_for
        return silent_for >= self._pace.dead_after and watched_for >= 2 * self._pace.heartbeat

    def _bury(self, process: Process) -> None:
        # First the work, then the row: who dies in between leaves the row, and the next one does it again.
        freed = self._works.release(process.id)
        with self._database.write() as tx:
            if not store.remove_process(tx, process.id, process.seen_at):
                return
            now = self._clock.now()
            freed_objects = store.free_leases(tx, process.id, now, self._last_end(process))
            self._wake(tx, {*freed, *freed_objects}, now)
        _log.warning(
            "adopted the work of a dead process", process_id=process.id, host=process.host, leases=len(freed_objects)
        )

    def _last_end(self, process: Process) -> datetime | None:
        """Return which of its leases may be ended: those that end by then; None for all of them, as it is surely gone."""
        return None if process_identity.is_gone(process.host, process.pid) else last_end(process.seen_at, self._pace)

    def _keep_house(self) -> None:
        holders = self._works.holders()  # before the list: a process announces itself before it works
        with self._database.read() as tx:
            process_ids = {process.id for process in store.list_processes(tx)}
        freed = [object_id for process_id in holders - process_ids for object_id in self._works.release(process_id)]
        if freed:
            with self._database.write() as tx:
                self._wake(tx, freed, self._clock.now())
        self._stuck.end()
        self._works.tidy()


class StuckLeases:
    """Leases that a clock far ahead has written, and that nobody keeps any more."""

    def __init__(self, database: Database, clock: Clock, pace: Pace, wake: Wake) -> None:
        self._database = database
        self._clock = clock
        self._pace = pace
        self._wake = wake
        self._far: dict[Lease, datetime] = {}
        """Leases that end later than any can, and since when they were seen so."""

    def end(self) -> None:
        """End those that have not been kept for as long as a lease lasts. To be called now and then."""
        now = self._clock.now()
        with self._database.read() as tx:
            far = store.leases_beyond(tx, now + self._pace.lease + CLOCKS_APART)
        self._far = {lease: not_after(self._far.get(lease, now), now) for lease in far}
        stuck = [lease for lease, since in self._far.items() if now - since >= self._pace.lease]
        if stuck:
            with self._database.write() as tx:
                freed = [lease.object_id for lease in stuck if store.end_lease(tx, lease, now)]
                self._wake(tx, freed, now)
            _log.warning("ended leases that a wrong clock had written", leases=len(freed))
