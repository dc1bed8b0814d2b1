"""Compares this machine's clock with the provider's at every answer."""

import threading
from datetime import datetime, timedelta

import structlog

from keyturn.kit.clock_difference import WARNS, WRONG, describe_difference, difference
from keyturn.ports.clock import Clock
from keyturn.ports.http import HttpRequest, HttpResponse, Transport

_log = structlog.get_logger("keyturn.clock")


class DatedTransport:
    """A ``ports.Transport`` that compares the clocks with every answer. Warns once whenever that changes. Thread-safe."""

    def __init__(self, inner: Transport, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._lock = threading.Lock()
        self._last: tuple[datetime, timedelta] | None = None
        self._level = "right"

    def send(self, request: HttpRequest) -> HttpResponse:
        sent_at = self._clock.now()
        response = self._inner.send(request)
        if not response.headers.get("age", "0").strip("0"):  # a cache repeats the date of long ago
            self._note(sent_at, self._clock.now(), response.headers.get("date"))
        return response

    def ahead(self) -> timedelta | None:
        """Return how far our clock is ahead by the newest answer; None as long as that is unknown."""
        newest = self._newest()
        return newest and newest[1]

    def confirmed_at(self) -> datetime | None:
        """Return the moment of the newest answer by our clock, if it found that right; None otherwise."""
        newest = self._newest()
        return newest[0] if newest and abs(newest[1]) <= WRONG else None

    def _newest(self) -> tuple[datetime, timedelta] | None:
        with self._lock:
            if self._last is None or self._last[0] > self._clock.now():
                return None  # the clock has been set back since
            return self._last

    def _note(self, sent_at: datetime, answered_at: datetime, date: str | None) -> None:
        ahead = difference(sent_at, answered_at, date)
        if ahead is None:
            return
        level = "wrong" if abs(ahead) > WRONG else "doubtful" if abs(ahead) > WARNS else "right"
        with self._lock:
            before, self._level, self._last = self._level, level, (answered_at, ahead)
        if level == before:
            return
        if level == "right":
            _log.info("clock.right_again")
        else:
            _log.warning(
                "clock.differs", level=level, seconds=round(ahead.total_seconds()), message=describe_difference(ahead)
            )
