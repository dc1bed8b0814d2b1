"""How far two clocks are apart, as an HTTP answer tells: its ``Date`` header says what time it is there. Pure."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from keyturn.kit.moments import shift

WARNS = timedelta(minutes=2)
WRONG = timedelta(minutes=5)
"""Beyond this no new credential is planned: assertions are refused, and dates computed here mean something else there."""
_RESOLUTION = timedelta(seconds=1)


def difference(sent_at: datetime, answered_at: datetime, date: str | None) -> timedelta | None:
    """Return how far ours is ahead of the clock that wrote the date, as little as the exchange allows; None without a date.

    The answer was dated at some instant between both moments, and dates are cut to whole seconds.
    """
    there = read_date(date)
    if there is None or answered_at < sent_at:
        return None
    at_least, at_most = sent_at - there - _RESOLUTION, answered_at - there
    if at_least <= timedelta() <= at_most:
        return timedelta()
    return at_least if at_least > timedelta() else at_most


def is_right(ahead: timedelta | None) -> bool:
    """Whether nothing is known against our clock."""
    return ahead is None or abs(ahead) <= WRONG


def provider_time(now: datetime, ahead: timedelta | None) -> datetime:
    """Return what time it is by the provider's clock: the one by which moments of different servers can be compared."""
    return now if ahead is None else shift(now, -ahead)


def read_date(text: str | None) -> datetime | None:
    """Read an HTTP date; None for anything else."""
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def describe_difference(ahead: timedelta) -> str:
    """Say which way the clock is wrong, and by how much."""
    seconds = abs(ahead).total_seconds()
    size, unit = next((one for one in _UNITS if seconds >= 2 * one[0]), _UNITS[-1])
    return f"{seconds / size:.0f} {unit} {'ahead of' if ahead > timedelta() else 'behind'} that of the provider"


def summarize_comparison(ahead: timedelta | None) -> str:
    """Say in a few words what the comparison has shown."""
    if ahead is None:
        return "Not compared yet: the provider has not answered this process"
    return describe_difference(ahead) if abs(ahead) > WARNS else "As that of the provider"


_UNITS = ((86_400 * 365, "years"), (86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))
