"""Now and then: so that what signs in hundreds of times a second does not look through all its old tokens each time."""

import threading
from dataclasses import field
from datetime import datetime, timedelta

from keyturn.kit.dataclasses import dataclass

EVERY = timedelta(seconds=10)
_MOST_OWNERS = 10_000


@dataclass
class Clearings:
    """When the ended tokens of whom were cleared away last, by this process. For any number of threads."""

    _done: dict[str, datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, owner_id: str, now: datetime) -> bool:
        """Say whether it is time to clear, and count it as done."""
        with self._lock:
            before = self._done.get(owner_id)
            # A clock that was set back must not put it off.
            if before is not None and timedelta(0) <= now - before < EVERY:
                return False
            if len(self._done) >= _MOST_OWNERS:
                self._done.clear()
            self._done[owner_id] = now
            return True
