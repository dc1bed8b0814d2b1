"""Time as POSIX seconds (UTC), given from outside, and its two written forms."""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime
from typing import Protocol

DAY = 86_400.0
FIRST_MOMENT = -62_135_596_800.0  # 0001-01-01T00:00:00Z, which old tools wrote for "no date"
LAST_MOMENT = 253_402_300_799.0  # 9999-12-31T23:59:59Z
_LAST_NOW = 221_845_392_000.0  # 9000-01-01: dates that follow from "now" must still be dates
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d(?::\d\d)?)(\.\d{1,12})?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)


class Clock(Protocol):
    """Anything that tells the time as POSIX seconds."""

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...


class VirtualClock:
    """A clock that stands still until it is moved."""

    ahead = 0.0

    def __init__(self, start: float = 1_795_392_000.0) -> None:
        self._now = float(start)

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Moves the clock. Raises ValueError for a step backwards, or past the year 9000."""
        self._now = _moved(self._now, seconds)


class SystemClock:
    """The machine's clock, plus what it was moved by."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._lock = threading.Lock()

    @property
    def ahead(self) -> float:
        """By how many seconds it was moved."""
        return self._ahead

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Moves the clock ahead of the machine's. Raises ValueError for a step backwards, or past the year 9000."""
        with self._lock:
            _moved(self.now(), seconds)
            self._ahead += seconds


def _moved(now: float, seconds: float) -> float:
    if not 0 <= seconds <= _LAST_NOW - now:
        raise ValueError("a clock only moves forwards, and not past the year 9000")
    return now + seconds


def graph_time(moment: float) -> str:
    """As Graph writes it: `2026-11-23T06:00:00Z`, with seven fractional digits when there is a fraction.

    Source: the example of https://learn.microsoft.com/graph/api/application-addpassword.
    """
    stamp = datetime.fromtimestamp(round(moment, 6), UTC)
    fraction = f".{stamp.microsecond:06d}0" if stamp.microsecond else ""
    return f"{stamp.replace(microsecond=0, tzinfo=None).isoformat()}{fraction}Z"


def sts_time(moment: float) -> str:
    """As the token endpoint writes it: `2026-11-23 06:00:00Z`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}Z"


def parse_time(text: str) -> float:
    """Reads a date-time with a zone (`Z` or an offset) and any number of fractional digits (RFC 3339, section 5.6).

    azure-cli 2.91.0 sends `Z`, msgraph-sdk for Python 1.65 `+00:00`.

    Raises ValueError for anything else, and for a moment outside the years 1 to 9999.
    """
    match = _RFC3339.fullmatch(text)
    if not match:
        raise ValueError("not a date-time with a time zone")
    day, clock, fraction, zone = match.groups()
    offset = "+00:00" if zone in {"Z", "z"} else zone
    moment = datetime.fromisoformat(f"{day}T{clock}{(fraction or '')[:7]}{offset}").timestamp()
    return checked_time(moment)


def checked_time(moment: float) -> float:
    """The same moment, if it can be written as a date. Raises ValueError otherwise."""
    if not FIRST_MOMENT <= moment <= LAST_MOMENT:
        raise ValueError("not a time from the year 1 to 9999")
    return moment
