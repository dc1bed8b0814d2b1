"""What every process does for itself once in a while: a source of work whose moments are in memory."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from keyturn.db.unit import Tx
from keyturn.engine.sources import BUSY, Source
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import bound_delay
from keyturn.ports.work import Work


@dataclass(frozen=True)
class Task:
    """``act`` does it, and returns whether something is left of it: the rest is then due at once.

    A task with much to do therefore ends after a part of it, and its thread is free for others meanwhile.
    """

    name: str
    act: Callable[[], bool]
    at_start: bool = False
    """Due as soon as the process begins, and not only after the first interval."""


class Upkeep(Source):
    """Each task once in ``every``, one after another. Each process does all of them: they are safe to do in several at once.

    A task that fails is due again after the interval, as one that succeeds.
    """

    kind = "upkeep"

    def __init__(self, process_id: str, tasks: Sequence[Task], now: datetime, every: timedelta) -> None:
        self._partition = f"upkeep:{process_id}"
        self._every = every
        self._tasks = {task.name: task for task in tasks}
        self._due_at = {task.name: now if task.at_start else now + every for task in tasks}
        self._left: set[str] = set()

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return bool(self._due(now))

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        """Take one task at most, whatever the limit: they share a partition."""
        names = self._due(now)[: min(1, limit)]
        for name in names:
            self._left.discard(name)
            self._due_at[name] = now + self._every
        return [Work(self.kind, name, self._partition) for name in names]

    def put_back(self, tx: Tx, works: Sequence[Work], claimed_at: datetime, now: datetime) -> None:
        for work in works:
            self._due_at[work.id] = now + BUSY

    def do(self, work_id: str) -> None:
        if self._tasks[work_id].act():
            self._left.add(work_id)

    def _due(self, now: datetime) -> list[str]:
        """Return the tasks that are due, the longest due first; what is left of one comes last."""
        due = [name for name, at in self._due_at.items() if now >= bound_delay(at, now, self._every)]
        return sorted(due, key=self._due_at.__getitem__) + sorted(self._left.difference(due))
