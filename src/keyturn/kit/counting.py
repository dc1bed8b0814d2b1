"""Numbers of things in words."""

from datetime import datetime, timedelta


def counted(number: int, one: str, several: str = "") -> str:
    """Return ``1 event`` or ``2 events``: ``several`` are the words for any number but one, where they are not ``one`` and an s.

    A verb may come along: ``counted(n, "event waits", "events wait")``.
    """
    return f"{number} {one if number == 1 else several or one + 's'}"


def every(days: int) -> str:
    """Return how often something is done: ``every day``, ``every 30 days``."""
    return "every day" if days == 1 else f"every {days} days"


def duration_in_words(length: timedelta) -> str:
    """Return a length, rounded, in the largest unit of which there are enough for that to be true: years from three on,
    days and hours from two on, else minutes.
    """
    for unit, name, least in _UNITS:
        if length >= least * unit:
            return counted(round(length / unit), name)
    return counted(round(length / timedelta(minutes=1)), "minute")


_UNITS = ((timedelta(days=365), "year", 3), (timedelta(days=1), "day", 2), (timedelta(hours=1), "hour", 2))


def distance_in_words(moment: datetime, now: datetime) -> str:
    """Return how far away the moment is: ``3 hours ago``, ``in 700 days``, ``just now``; ``in a moment`` within half a minute."""
    if abs(moment - now) <= timedelta(seconds=30):
        return "just now" if moment <= now else "in a moment"
    length = duration_in_words(abs(moment - now))
    return f"{length} ago" if moment < now else f"in {length}"
