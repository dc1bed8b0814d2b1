"""Arithmetic on moments that never leaves the calendar, and the rule for stored moments that decide.

Entra ID stores dates up to the year 9999, and people do write them; a clock that was wrong for a moment writes moments of
other years, too. Neither may stop a page, a list or a rotation.
"""

from datetime import UTC, datetime, timedelta, tzinfo

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
CLOCKS_APART = timedelta(seconds=10)
"""By less the clocks of servers always differ. What was written further ahead of our clock was written by a wrong one."""


def bound_delay(moment: datetime, now: datetime, spacing: timedelta) -> datetime:
    """Return when something is due that was put off, for at most ``spacing``, until ``moment``.

    A moment that lies further ahead than its own spacing was written by a clock that was ahead of ours: it counts as now.
    Every stored moment that decides goes through here, so that no wrong clock can make anybody wait for longer.
    """
    return now if moment - now > spacing else moment


def not_after(moment: datetime, now: datetime) -> datetime:
    """Return the moment of something that has happened: what lies ahead was written by another clock, and counts as now."""
    return min(moment, now)


def shift(moment: datetime, by: timedelta) -> datetime:
    """Return the moment moved, at most to the end of the calendar."""
    try:
        return moment + by
    except OverflowError:
        return LAST if by > timedelta() else FIRST


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """Return the moment on the clocks of the zone; in UTC where those would show a day beyond the calendar."""
    try:
        return moment.astimezone(zone)
    except (OverflowError, ValueError):
        return utc_of(moment)


def utc_of(moment: datetime) -> datetime:
    """Return the moment in UTC, at most at the end of the calendar."""
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return LAST if moment.year > 1 else FIRST
