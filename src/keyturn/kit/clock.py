"""Time. Every part that needs it is given a clock; nothing else reads the system's."""

from datetime import UTC, datetime, timedelta

from keyturn.kit.moments import utc_of


class SystemClock:
    """The machine's clock, or one that is ahead of it."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC) + self._ahead


class MovableClock:
    """A clock that stands still until it is moved. For tests, simulations and the demo's story."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move forward by the seconds given."""
        self._now += timedelta(seconds=seconds)

    def move_to(self, moment: datetime) -> None:
        """Move to the moment, never backwards."""
        self._now = max(self._now, moment.astimezone(UTC))


def iso(moment: datetime) -> str:
    """Format as ISO-8601 in UTC with milliseconds and ``Z``, as the HTTP API shows every moment."""
    return utc_of(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None
