"""Clocks of single servers that jump ahead or back, by seconds or by years, and are put right after seconds or days."""

from datetime import datetime, timedelta
from random import Random

from keyturn_simulation.processes import Process
from keyturn_simulation.simulation import Simulation

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ADJUSTMENTS = (SECOND / 5, 2 * SECOND, 15 * SECOND, 40 * SECOND)
"""What a clock that is kept by NTP differs by."""
JUMPS = (4 * MINUTE, 6 * MINUTE, 20 * MINUTE, HOUR, 9 * HOUR, DAY, 8 * DAY, 60 * DAY, 400 * DAY, 3652 * DAY)
LASTS = (5 * SECOND, 25 * SECOND, 2 * MINUTE, 20 * MINUTE, 6 * HOUR, 3 * DAY)


class WrongClocks:
    """Each server has its own clock; ``put_right`` ends what has lasted long enough."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._wrong: dict[str, tuple[Process, datetime]] = {}
        """By the server's name: when its clock will be right again."""

    @property
    def _rng(self) -> Random:
        return self._sim.rng

    def jump(self) -> None:
        """The clock of one server is wrong from now on."""
        if not self._sim.processes:
            return
        process = self._rng.choice(self._sim.processes)
        sizes = ADJUSTMENTS if self._rng.random() < 0.25 else JUMPS
        off = self._rng.choice(sizes) * self._rng.choice((1, -1))
        lasts = self._rng.choice(LASTS)
        self._set(process, off)
        self._wrong[process.name] = (process, self._sim.clock.now() + lasts)
        self._sim.judge.clocks_wrong = True

    def put_right(self, *, all_of_them: bool = False) -> None:
        """End what has lasted long enough."""
        for name, (process, until) in list(self._wrong.items()):
            if all_of_them or until <= self._sim.clock.now():
                del self._wrong[name]
                self._set(process, timedelta(0))

    def _set(self, process: Process, off: timedelta) -> None:
        process.server.clock.off = off
        self._sim.trace.note(process.name, f"its clock is off by {off}")
