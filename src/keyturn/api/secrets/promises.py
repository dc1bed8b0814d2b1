"""The headers of reads that say when to come again, and until when values may be relied on. No tag counts them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime

from keyturn.db.unit import Database
from keyturn.kit.clock import iso
from keyturn.ports.clock import Clock
from keyturn.rotations.promises import NOTHING_PROMISED, Promise, promise_of
from keyturn.secrets.reading import Found
from keyturn.secrets.selection import Selection

USUAL_REFRESH = timedelta(minutes=5)
_USUAL_SECONDS = USUAL_REFRESH.total_seconds()
LEAST_REFRESH = timedelta(seconds=10)
"""Also while a value is about to end: who comes more often learns no more."""
HOLDS_FOR = timedelta(seconds=5)
"""How long a promise that was made may be repeated: that of a current value moves on with the clock. What moves it besides, such
as a change of the schedule, moves the access revision, too."""


class Promises:
    """``jitter`` gives a number from 0 up to 1: who began together does not come again together."""

    def __init__(self, database: Database, clock: Clock, jitter: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._jitter = jitter

    def of(self, *seen: Found | Selection) -> Promise:
        """Return what is promised of the credentials among the values that are shown."""
        credential_ids = {each for one in seen for each in _credentials(one)}
        if not credential_ids:
            return NOTHING_PROMISED
        with self._database.read() as tx:
            return promise_of(tx, credential_ids, self._clock.now())

    def refresh_after(self, promise: Promise, refresh_interval: int | None, now: datetime) -> int:
        """Return the seconds after which to read again: as often as the program wants, and soon enough for what ends."""
        pause = USUAL_REFRESH if refresh_interval is None else timedelta(seconds=refresh_interval)
        if promise.usable_until is not None:
            pause = min(pause, max((promise.usable_until - now) / 2, LEAST_REFRESH))
        return self._spread(pause.total_seconds())

    def usual_pause(self, refresh_interval: int | None) -> int:
        """Return the seconds of :meth:`refresh_after` where nothing is promised."""
        return self._spread(refresh_interval or _USUAL_SECONDS)

    def _spread(self, seconds: float) -> int:
        return max(1, round(seconds * (0.9 + 0.2 * self._jitter())))

    def headers(self, promise: Promise, refresh_interval: int | None, held: int | None = None) -> dict[str, str]:
        """Return the headers of an answer, which may be held back for so many seconds.

        ``Deprecation`` is that of RFC 9745, ``Sunset`` that of RFC 8594.
        """
        if promise is NOTHING_PROMISED:
            return {"x-keyturn-refresh-after": str(self.usual_pause(refresh_interval))}
        now = self._clock.now()
        headers = {"x-keyturn-refresh-after": str(self.refresh_after(promise, refresh_interval, now))}
        if promise.key_ids:
            headers["x-keyturn-key-id"] = ", ".join(promise.key_ids)
        if promise.usable_until is not None:
            left = promise.usable_until - now - timedelta(seconds=held or 0)
            headers["x-keyturn-usable-until"] = iso(promise.usable_until)
            headers["x-keyturn-usable-for"] = str(max(0, int(left.total_seconds())))
        if promise.deprecated_at is not None:
            headers["deprecation"] = f"@{int(promise.deprecated_at.timestamp())}"
        if promise.sunset_at is not None:
            headers["sunset"] = format_datetime(promise.sunset_at, usegmt=True)
        return headers


def _credentials(seen: Found | Selection) -> set[str]:
    if isinstance(seen, Selection):
        return {value.credential_id for value in seen.values if value.credential_id}
    return {seen.row.credential_id} if seen.view and seen.row.credential_id else set()
