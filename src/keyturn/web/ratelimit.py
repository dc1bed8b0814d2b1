"""A token bucket per key, in memory: a brake on guessing passwords and client secrets."""

import math
import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from keyturn.errors import TooMany
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.web.auth import network_of

MOST_KEYS = 10_000
TOGETHER = 20
"""The limit over all addresses, in shares of one."""
_OTHERS = "*"
_NOW = timedelta(0)


class RateLimited(TooMany):
    """A limit was reached. ``limit`` is how many requests a minute are allowed."""

    def __init__(self, limit: int, retry_after: timedelta) -> None:
        seconds = max(1, math.ceil(retry_after / timedelta(seconds=1)))
        super().__init__(
            f"Too many requests. Try again in {counted(seconds, 'second')}.",
            code="request.rate_limited",
            retry_after=timedelta(seconds=seconds),
        )
        self.limit = limit


class Limiter:
    """Allows ``per_minute`` requests of each key a minute, and as many in one burst. For any number of threads.

    It counts in this process alone; the lockout in the database is what holds across several. Counters are kept as long
    as they say anything: a key that has its whole share again is forgotten. When ``keys`` counters say something, all keys
    that are new share the counters of ``others``, so an attacker with many addresses fills no memory and clears no counter.

    Under all this lies one limit for all keys together, ``together`` a minute: what one address may not do, thousands
    must not do together. It does not bind keys that were ``trust``ed, so other callers cannot lock out who was admitted before.
    """

    def __init__(self, clock: Clock, *, per_minute: int, keys: int = MOST_KEYS, together: int | None = None) -> None:
        self._clock = clock
        self._limit = per_minute
        self._together = together or per_minute * TOGETHER
        self._keys = keys
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._all: _Bucket | None = None
        self._trusted: OrderedDict[str, None] = OrderedDict()

    def take(self, key: str) -> None:
        """Count one request of the key. Raises RateLimited, with the time to wait, when that is too many.

        A key is an address, a blank, and what is tried. An IPv6 address counts under its /64.
        """
        now, key = self._clock.now(), _by_network(key)
        with self._lock:
            waits = [self._spend(key, now)]
            if waits == [_NOW] and key not in self._trusted:
                waits.append(self._spend_together(now))
        wait = max(waits)
        if wait > _NOW:
            raise RateLimited(self._limit, wait)

    def give_back(self, key: str) -> None:
        """Take back what :meth:`take` counted: it was no failure."""
        now, key = self._clock.now(), _by_network(key)
        with self._lock:
            bucket = self._buckets.get(key) or self._buckets.get(_OTHERS)
            if bucket is not None:
                bucket.put_back(now, self._limit)
            if self._all is not None and key not in self._trusted:
                self._all.put_back(now, self._together)

    def trust(self, key: str) -> None:
        """Remember that somebody was let in under this key: the limit over all addresses does not bind it any more."""
        key = _by_network(key)
        with self._lock:
            self._trusted[key] = None
            self._trusted.move_to_end(key)
            while len(self._trusted) > self._keys:
                self._trusted.popitem(last=False)

    def _spend(self, key: str, now: datetime) -> timedelta:
        """Take one from the key's bucket; return how long to wait, nothing when there was one."""
        bucket = self._buckets.pop(key, None)
        if bucket is None and len(self._buckets) >= self._keys:
            self._forget_full(now)
            if len(self._buckets) >= self._keys:
                key = _OTHERS
                bucket = self._buckets.pop(key, None)
        bucket = bucket or _Bucket(float(self._limit), now)
        wait = bucket.take(now, self._limit)
        self._buckets[key] = bucket
        return wait

    def _spend_together(self, now: datetime) -> timedelta:
        self._all = self._all or _Bucket(float(self._together), now)
        return self._all.take(now, self._together)

    def _forget_full(self, now: datetime) -> None:
        """Drop the counters that say nothing, the longest unseen first: those behind the first that does, were seen later."""
        while self._buckets:
            key, bucket = next(iter(self._buckets.items()))
            if bucket.tokens_at(now, self._limit) < self._limit:
                return
            del self._buckets[key]


def _by_network(key: str) -> str:
    ip, _, what = key.partition(" ")
    return f"{network_of(ip)} {what}"


@dataclass
class _Bucket:
    tokens: float
    updated_at: datetime

    def tokens_at(self, now: datetime, limit: int) -> float:
        gained = max(timedelta(0), now - self.updated_at) / timedelta(minutes=1) * limit
        return min(float(limit), self.tokens + gained)

    def take(self, now: datetime, limit: int) -> timedelta:
        self.tokens, self.updated_at = self.tokens_at(now, limit), now
        if self.tokens < 1:
            return timedelta(minutes=(1 - self.tokens) / limit)
        self.tokens -= 1
        return _NOW

    def put_back(self, now: datetime, limit: int) -> None:
        self.tokens, self.updated_at = min(float(limit), self.tokens_at(now, limit) + 1), now
