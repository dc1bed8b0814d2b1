"""An engine for tests: work runs when the test says so, in the order in which it was submitted."""

from collections.abc import Callable
from datetime import timedelta

from keyturn.ports.work import Work


class InlineEngine:
    """Implements ``ports.Engine`` in memory, without threads. Errors of the work reach the caller of ``run_all``."""

    def __init__(self) -> None:
        self._do: Callable[[Work], None] | None = None
        self._queue: dict[str, Work] = {}  # by partition, oldest first

    def start(self, do: Callable[[Work], None]) -> None:
        self._do = do

    def submit(self, work: Work) -> bool:
        if self._do is None or work.partition in self._queue:
            return False
        self._queue[work.partition] = work
        return True

    def in_flight(self) -> int:
        return len(self._queue)

    def stop(self, grace: timedelta) -> None:
        self._do = None
        self._queue.clear()

    def holders(self) -> set[str]:
        return set()

    def release(self, process_id: str) -> list[str]:
        """Nothing to strike off: what was in memory died with it, and is found again by its source."""
        return []

    def tidy(self) -> None:
        """Nothing to tidy: finished work leaves nothing."""

    def run_all(self, limit: int = 1000) -> int:
        """Run what is queued, and what that queues in turn, at most ``limit`` items; return how many ran."""
        ran = 0
        while self._queue and self._do is not None and ran < limit:
            partition, work = next(iter(self._queue.items()))
            ran += 1
            try:
                self._do(work)
            finally:
                self._queue.pop(partition, None)
        return ran
