"""A token bucket per key, in memory: a brake on guessing passwords and client secrets."""

import math
import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from keyturn.errors import TooMany
from keyturn.ports import Clock

MOST_KEYS = 10_000


class RateLimited(TooMany):
    """A limit was reached. ``limit`` is how many requests a minute are allowed."""

    def __init__(self, limit: int, retry_after: timedelta) -> None:
        seconds = max(1, math.ceil(retry_after / timedelta(seconds=1)))
        super().__init__(
            f"Too many requests. Try again in {seconds} seconds.",
            code="request.rate_limited",
            retry_after=timedelta(seconds=seconds),
        )
        self.limit = limit


class Limiter:
    """Allows ``per_minute`` requests of each key a minute, and as many in one burst. For any number of threads.

    It counts in this process alone; the lockout in the database is what holds across several. The least recently seen
    keys are forgotten first when there are more than ``keys``, so an attacker with many addresses cannot fill the memory.
    """

    def __init__(self, clock: Clock, *, per_minute: int, keys: int = MOST_KEYS) -> None:
        self._clock = clock
        self._limit = per_minute
        self._keys = keys
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def take(self, key: str) -> None:
        """Count one request of the key. Raises RateLimited, with the time to wait, when it has used up its share."""
        now = self._clock.now()
        with self._lock:
            left = self._left(key, now)
            allowed = left >= 1
            self._buckets[key] = (left - 1 if allowed else left, now)
            self._buckets.move_to_end(key)
            while len(self._buckets) > self._keys:
                self._buckets.popitem(last=False)
        if not allowed:
            raise RateLimited(self._limit, timedelta(minutes=(1 - left) / self._limit))

    def _left(self, key: str, now: datetime) -> float:
        left, seen = self._buckets.get(key, (float(self._limit), now))
        gained = max(timedelta(0), now - seen) / timedelta(minutes=1) * self._limit
        return min(float(self._limit), left + gained)
