"""Time. Every part that needs it is given a clock; nothing else reads the system's."""

from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)


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
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
