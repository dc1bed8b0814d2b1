"""Reads secrets for programs that must not stop: from the server, or what it last said while it does not answer."""

import copy
import math
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from keyturn.client.cache import MOST_AGE, CacheFile
from keyturn.client.domain import Answered, Expired, Outage, Reading, Refusal, SecretSet, Source
from keyturn.client.server import Server
from keyturn.errors import KeyturnError, NotFound
from keyturn.kit.dataclasses import dataclass

_QUICK = (1.0, 3.0, 10.0)
_LONGEST_WAIT = 50
"""Seconds for which the server is asked to wait for a change: many proxies cut at sixty."""
_SHORTEST_WAIT = 5
_BROKEN = 3
"""So many waits that end early in a row, and requests may not wait at all."""
_ANEW = 3600.0
"""After so many seconds it is tried again whether requests may wait now."""
_SOON = 2.0
"""What changes together often does so in several steps: seconds after which it is looked again."""


@dataclass
class _InUse:
    """The keys that the program works with, as the server is told with each read."""

    key_ids: tuple[str, ...] = ()


class Reader:
    """Reads one source again and again. Not shared between threads, but for :meth:`use`.

    ``instance`` names the program for which it reads; None: nobody is told who has a value. ``announced`` tells the server how
    often that one reads: who once read and never does again has no interval, and counts as a user for as long as there is one.
    """

    def __init__(
        self,
        server: Server,
        source: Source,
        cache: CacheFile | None,
        *,
        interval: float = 60.0,
        most_age: timedelta = MOST_AGE,
        instance: str | None = None,
        announced: bool = True,
        tell: Callable[[str], None] = lambda _sentence: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        spread: Callable[[], float] = random.random,
    ) -> None:
        """``interval`` is in seconds; ``spread`` gives a number from 0 to 1, so that not everybody asks at once."""
        self._server = server
        self._source = source
        self._cache = cache
        self._interval = interval
        self._most_age = most_age
        self._instance = instance
        self._announced = interval if announced else None
        self._tell = tell
        self._now = now
        self._monotonic = monotonic
        self._spread = spread
        self._known: SecretSet | None = None
        self._good_until = math.inf
        self._saved: SecretSet | None = None
        self._in_use = _InUse()
        self._failures = 0
        self._pause = 0.0
        self._refresh_after = 0.0
        self._wait = _LONGEST_WAIT
        self._wait_anew_at = 0.0
        self._broken = 0
        self._plain = False
        self._warned = ""

    def twin(self) -> "Reader":
        """Return another reader for the same program that begins with what this one knows, for a thread of its own."""
        twin = copy.copy(self)
        twin._pause = 0.0  # noqa: SLF001 - of another object of this class
        return twin

    def copy(self) -> SecretSet | None:
        """Return what may be used without asking the server: what it last said, or the copy of an earlier read."""
        if self._known is None and self._cache is not None:
            self._known = self._saved = self._cache.load(self._now())
            if self._known is not None:
                self._measure(self._known)
        return self._known if self._known is not None and self._monotonic() < self._good_until else None

    def read(self, *, wait: bool = False) -> Reading:
        """Return what may be used now: asks the server, and falls back to what it last said.

        With ``wait`` the server is asked to answer only when something changed, as far as it and what is between allow it.
        Raises Refusal (or NotFound) when the server says no: the copy is forgotten then. Raises Outage when it does not answer
        and there is nothing that may be used instead, Expired when there is what may not be used any more.
        """
        self.copy()
        seconds = self._seconds_to_wait() if wait else 0
        self._pause = self._usual()  # also after a refusal, and whatever else is raised
        began = self._monotonic()
        try:
            answer = self._server.read(
                self._source, self._known.tag if self._known else None, wait=seconds, headers=self._headers()
            )
        except (Refusal, NotFound):
            self._known = self._saved = None
            if self._cache is not None:
                self._cache.forget()
            raise
        except Outage as outage:
            known = self.copy()
            if seconds and known is not None:
                # The server may be well, and something between not let requests wait for so long: it is looked once without.
                self._wait_less(seconds, self._monotonic() - began)
                return Reading(known)
            return self._without_answer(outage)
        return self._with_answer(answer, wait, seconds, self._monotonic() - began)

    def _with_answer(self, answer: Answered, wait: bool, seconds: int, took: float) -> Reading:
        fresh = self._fresh(answer)
        changed = answer.values is not None and not fresh.same(self._known)
        self._failures, self._refresh_after = 0, answer.refresh_after or 0.0
        self._pause = self._usual()
        if changed and self._known is not None:
            self._pause = min(_SOON, self._pause)
        if seconds and (took >= 0.8 * seconds or (changed and took >= 1)):
            # It waits. Who is answered at once asked one that does not: then it is looked as often as the interval says.
            self._pause, self._broken = 0.0, 0
        elif wait and not seconds and answer.refresh_after is not None and self._may_wait():
            self._pause = 0.0  # the first look; the next one waits
        self._plain = False
        self._known = fresh
        self._measure(fresh)
        self._save(fresh)
        self._warn(answer, fresh.key_ids)
        return Reading(fresh)

    def wait(self) -> float:
        """Return after how many seconds to read again: after errors never sooner than after success, but for three tries."""
        return self._pause

    def use(self, secret_set: SecretSet) -> None:
        """Say that the program works with these values: to the server at once, in the background, and with each read.

        May be called by any thread.
        """
        new = secret_set.key_ids != self._in_use.key_ids
        self._in_use.key_ids = secret_set.key_ids
        if new and self._instance is not None and secret_set.key_ids:
            threading.Thread(target=self._acknowledge, name="in use", daemon=True).start()

    def _acknowledge(self) -> None:
        try:
            self._server.acknowledge(self._source, self._in_use.key_ids, self._instance or "", self._announced)
        except KeyturnError:
            return  # it is said again with the next read; a server of before does not know of it

    def _headers(self) -> dict[str, str]:
        if self._instance is None:
            return {}
        headers = {"x-keyturn-instance": self._instance}
        if self._announced is not None:
            headers["x-keyturn-refresh-interval"] = str(math.ceil(self._announced))
        if self._in_use.key_ids:
            headers["x-keyturn-in-use"] = ", ".join(self._in_use.key_ids)
        return headers

    def _fresh(self, answer: Answered) -> SecretSet:
        values, versions, now = answer.values, answer.versions, self._now()
        if values is None:
            assert self._known is not None  # noqa: S101 - the server is asked with the tag of what is known
            values, versions = self._known.values, self._known.versions
        until = None if answer.usable_for is None else now + answer.usable_for
        return SecretSet(values, answer.tag, now, answer.key_ids, until, versions)

    def _measure(self, secret_set: SecretSet) -> None:
        """Note until when it may be used, by a clock that nobody sets."""
        now = self._now()
        ends = secret_set.read_at + self._most_age
        if secret_set.usable_until is not None:
            ends = min(ends, secret_set.usable_until)
        self._good_until = self._monotonic() + (ends - now).total_seconds()

    def _without_answer(self, outage: Outage) -> Reading:
        self._failures += 1
        quick = _QUICK[self._failures - 1] if self._failures <= len(_QUICK) else math.inf
        self._pause = max(min(quick * (0.5 + self._spread()), self._usual()), outage.retry_after or 0.0)
        known = self.copy()
        if known is not None:
            return Reading(known, outage)
        if self._known is None:
            raise outage
        moment = self._known.read_at.astimezone(UTC)
        raise Expired(
            f"{outage.message}, and what it said at {moment:%Y-%m-%d %H:%M} UTC may not be used any more",
            retry_after=outage.retry_after,
            code="client.expired",
        ) from None

    def _seconds_to_wait(self) -> int:
        """Return for how long the server may wait with its answer: not at all unless it is known to be well."""
        if self._known is None or self._failures or self._plain or not self._may_wait():
            return 0
        longest = min(self._wait, int(self._interval))
        return max(int(longest * (0.9 + 0.1 * self._spread())), 1)

    def _may_wait(self) -> bool:
        if self._wait < _LONGEST_WAIT and self._monotonic() >= self._wait_anew_at:
            self._wait = _LONGEST_WAIT
        return self._wait > 0

    def _wait_less(self, seconds: int, took: float) -> None:
        """Note that an answer did not come after ``took`` of the ``seconds`` for which it was waited.

        A server that is started anew ends a wait, too: after a short time that happens now and then, and means nothing.
        """
        self._plain, self._pause = True, _SOON * self._spread()
        self._broken += took < _SHORTEST_WAIT
        if took >= _SHORTEST_WAIT:
            self._wait = seconds // 2 if took >= seconds else int(took * 0.8)
        if self._wait < _SHORTEST_WAIT or self._broken >= _BROKEN:
            self._wait, self._broken = 0, 0
        self._wait_anew_at = self._monotonic() + _ANEW

    def _usual(self) -> float:
        # A server that was told the interval answers with its choice: later when it has much to do, sooner when a value ends.
        told = self._instance is not None and self._announced is not None
        return self._refresh_after if told and self._refresh_after > 0 else self._interval * self._jitter()

    def _jitter(self) -> float:
        return 0.9 + 0.2 * self._spread()

    def _save(self, fresh: SecretSet) -> None:
        """Keep a copy. One that only grew older is written again when a tenth of its time is over."""
        saved = self._saved
        if self._cache is None:
            return
        if saved is None or _differ(saved, fresh) or fresh.read_at - saved.read_at > self._most_age / 10:
            self._cache.save(fresh)
            self._saved = fresh

    def _warn(self, answer: Answered, key_ids: tuple[str, ...]) -> None:
        """Tell once that a value is about to end."""
        kind = f"{key_ids} {answer.sunset}" if answer.deprecated or answer.sunset else ""
        if kind and kind != self._warned:
            until = f" It ends at {answer.sunset}." if answer.sunset else ""
            self._tell(f"The server warns that a secret in {self._source.shown()} is about to end.{until}")
        self._warned = kind


def _differ(saved: SecretSet, fresh: SecretSet) -> bool:
    if (saved.tag, saved.key_ids) != (fresh.tag, fresh.key_ids):
        return True
    if saved.usable_until is None or fresh.usable_until is None:
        return saved.usable_until is not fresh.usable_until
    return abs(saved.usable_until - fresh.usable_until) > timedelta(minutes=1)
