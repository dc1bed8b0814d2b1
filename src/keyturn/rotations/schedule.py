"""When a rotation is due: whole days, a wall-clock time and an IANA zone, correct across daylight saving.

The arithmetic is done on local dates. A wall time that does not exist (spring) means the first valid instant after the gap;
one that exists twice (autumn) means the first of the two.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from keyturn.kit import zones
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift

MIN_INTERVAL_DAYS = 1
MAX_INTERVAL_DAYS = 365
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True)
class Schedule:
    """Every ``interval_days`` at ``hour:minute`` on the clocks of ``time_zone``.

    A slot on another day than ``weekdays`` (0 is Monday) moves to the next of these.
    """

    interval_days: int
    hour: int
    minute: int
    time_zone: str = "UTC"
    weekdays: frozenset[int] = EVERY_DAY


def weekdays_of(mask: int) -> frozenset[int]:
    """Read a set of weekdays from a number, of which Monday is the lowest bit."""
    return frozenset(day for day in range(7) if mask >> day & 1)


def weekday_names(weekdays: frozenset[int]) -> list[str]:
    """Return the days in the order of the week, by the names that the API has for them."""
    return [WEEKDAYS[day] for day in sorted(weekdays)]


def weekday_mask(weekdays: frozenset[int]) -> int:
    return sum(1 << day for day in weekdays)


@dataclass(frozen=True)
class Anchor:
    """What the next run is counted from: the slot of the last scheduled run, or the actual moment of another one."""

    at: datetime
    scheduled: bool


def schedule_fault(schedule: Schedule) -> str | None:
    """Say why a stored schedule cannot be kept to, and what to type; None when it can."""
    if not zones.exists(schedule.time_zone):
        name = schedule.time_zone[: zones.LONGEST]
        return (
            f"The time zone {name!r} of the schedule does not exist on this server, so nothing is rotated. "
            "Choose another one under Edit Schedule (rotateAt.timeZone), for example Europe/Oslo or UTC."
        )
    days, hour, minute = schedule.interval_days, schedule.hour, schedule.minute
    if not schedule.weekdays:
        return "The schedule permits no day of the week. Save it again under Edit Schedule, with one at least."
    if MIN_INTERVAL_DAYS <= days <= MAX_INTERVAL_DAYS and 0 <= hour <= 23 and 0 <= minute <= 59:
        return None
    return (
        f"The schedule cannot be read: every {days} days at {hour}:{minute}. Save it again under Edit Schedule, with "
        "1 to 365 days and a time from 00:00 to 23:59."
    )


def local_instant(year_month_day: datetime, schedule: Schedule) -> datetime:
    """Return the UTC instant of the schedule's wall time on that local date.

    On the clocks of UTC where this process does not know the zone. Raises OverflowError at the ends of the calendar.
    """
    zone = zones.display_zone(schedule.time_zone)
    wall = year_month_day.replace(
        hour=schedule.hour, minute=schedule.minute, second=0, microsecond=0, tzinfo=zone, fold=0
    )
    instant = wall.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return instant
    return _end_of_gap(wall, zone)


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant after the gap that swallowed the wall time, found by bisection to the second."""
    low = wall.replace(fold=1).astimezone(UTC) - timedelta(hours=1)  # surely before the gap's end
    high = wall.replace(fold=0).astimezone(UTC) + timedelta(hours=1)  # surely after it
    before = _offset(low, zone)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def next_slot(schedule: Schedule, anchor: Anchor) -> datetime:
    """Return the next scheduled moment in UTC, always after the anchor.

    The first moment at the wall time on or after the anchor's local date plus the interval; an unscheduled run later in the
    day than the wall time gets a full interval, so the day after. Never raises: where the calendar ends, whole days count.
    """
    try:
        return _next_slot(schedule, anchor)
    except (OverflowError, ValueError):
        return shift(anchor.at, timedelta(days=min(schedule.interval_days, MAX_INTERVAL_DAYS)))


def _next_slot(schedule: Schedule, anchor: Anchor) -> datetime:
    zone = zones.display_zone(schedule.time_zone)
    local = anchor.at.astimezone(zone)
    day = local.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=schedule.interval_days)
    slot = local_instant(day, schedule)
    time_of_day = (local.hour, local.minute, local.second, local.microsecond)
    if not anchor.scheduled and time_of_day > (schedule.hour, schedule.minute, 0, 0):
        return local_instant(day + timedelta(days=1), schedule)
    return slot


def last_slot(schedule: Schedule, limit: datetime) -> datetime:
    """Return the last moment at the wall time that is not after the limit; the limit itself at the ends of the calendar."""
    try:
        local = limit.astimezone(zones.display_zone(schedule.time_zone))
        day = local.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        slot = local_instant(day, schedule)
        return slot if slot <= limit else local_instant(day - timedelta(days=1), schedule)
    except (OverflowError, ValueError):
        return limit


def first_slot(schedule: Schedule, since: datetime) -> datetime:
    """Return the first moment at the wall time that is not before ``since``; ``since`` itself at the ends of the calendar."""
    try:
        local = since.astimezone(zones.display_zone(schedule.time_zone))
        day = local.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        slot = local_instant(day, schedule)
        return slot if slot >= since else local_instant(day + timedelta(days=1), schedule)
    except (OverflowError, ValueError):
        return since


@lru_cache(maxsize=4096)
def upcoming(schedule: Schedule, first: datetime, anchor: Anchor, count: int) -> tuple[datetime, ...]:
    """Return ``first`` and then the slots after it, counted from the anchor, as they will come if every run happens in its own;
    fewer than ``count`` where the calendar ends.

    Remembered, since lists of many connections ask for the same few schedules again and again.
    """
    moments = [first]
    while len(moments) < count:
        after = Anchor(next_slot(schedule, anchor), scheduled=True)
        if after.at <= anchor.at:
            break  # the calendar has ended
        anchor = after
        if anchor.at > first:
            moments.append(anchor.at)
    return tuple(moments)
