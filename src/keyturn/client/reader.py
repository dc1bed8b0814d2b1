"""Reads secrets for programs that must not stop: from the server, or what it last said while it does not answer."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from keyturn.client.cache import MOST_AGE, CacheFile
from keyturn.client.domain import Outage, Refusal, SecretSet, Source
from keyturn.client.server import Server
from keyturn.errors import NotFound

_QUICK = (1.0, 5.0, 15.0)


@dataclass(frozen=True)
class Reading:
    """What may be used now. ``stale`` is why it comes from a copy; None: the server said so just now."""

    secret_set: SecretSet
    stale: Outage | None = None


class Reader:
    """Reads one source again and again. Not shared between threads."""

    def __init__(
        self,
        server: Server,
        source: Source,
        cache: CacheFile | None,
        *,
        interval: float = 60.0,
        most_age: timedelta = MOST_AGE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        spread: Callable[[], float] = random.random,
    ) -> None:
        """``interval`` is in seconds; ``spread`` gives a number from 0 to 1, so that not everybody asks at once."""
        self._server = server
        self._source = source
        self._cache = cache
        self._interval = interval
        self._most_age = most_age
        self._now = now
        self._spread = spread
        self._known: SecretSet | None = None
        self._saved: SecretSet | None = None
        self._failures = 0
        self._retry_after = 0.0

    def copy(self) -> SecretSet | None:
        """Return the copy of an earlier read that may still be used, without asking the server."""
        if self._known is None and self._cache is not None:
            self._known = self._saved = self._cache.load(self._now(), self._most_age)
        return self._known

    def read(self) -> Reading:
        """Return what may be used now: asks the server, and falls back to what it last said.

        Raises Refusal (or NotFound) when the server says no: the copy is forgotten then. Raises Outage when it does not answer
        and there is nothing that may be used instead.
        """
        before = self.copy()
        try:
            answer = self._server.read(self._source, self._now(), before.tag if before else None)
        except (Refusal, NotFound):
            self._known = self._saved = None
            if self._cache is not None:
                self._cache.forget()
            raise
        except Outage as outage:
            self._failures, self._retry_after = self._failures + 1, outage.retry_after or 0.0
            if before is None or self._now() - before.read_at > self._most_age:
                raise
            return Reading(before, outage)
        self._failures, self._retry_after = 0, 0.0
        fresh = answer or SecretSet(before.values, before.tag, self._now()) if before else answer
        if fresh is None:
            raise Outage("the server answered that nothing changed, and nobody had asked that")
        self._known = fresh
        self._save(fresh)
        return Reading(fresh)

    def _save(self, fresh: SecretSet) -> None:
        """Keep a copy. One that only grew older is written again when a tenth of its time is over."""
        saved = self._saved
        if self._cache is None:
            return
        if saved is None or saved.tag != fresh.tag or fresh.read_at - saved.read_at > self._most_age / 10:
            self._cache.save(fresh)
            self._saved = fresh

    def wait(self) -> float:
        """Return after how many seconds to read again: after errors never sooner than after
        success, but for three quick tries.
        """
        usual = self._interval * (0.9 + 0.2 * self._spread())
        if self._failures == 0:
            return usual
        quick = _QUICK[self._failures - 1] if self._failures <= len(_QUICK) else usual
        return max(min(quick, usual) * (0.9 + 0.2 * self._spread()), self._retry_after)
