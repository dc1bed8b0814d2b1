"""Numbers of things in words."""

from datetime import timedelta


def counted(number: int, one: str, several: str = "") -> str:
    """Return ``1 event`` or ``2 events``: ``several`` are the words for any number but one, where they are not ``one`` and an s.

    A verb may come along: ``counted(n, "event waits", "events wait")``.
    """
    return f"{number} {one if number == 1 else several or one + 's'}"


def every(days: int) -> str:
    """Return how often something is done: ``every day``, ``every 30 days``."""
    return "every day" if days == 1 else f"every {days} days"


def duration_in_words(length: timedelta) -> str:
    """Return a length in whole days, or in hours or minutes where it is less than two of them."""
    for unit, name in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour")):
        if length >= 2 * unit:
            return counted(round(length / unit), name)
    return counted(round(length / timedelta(minutes=1)), "minute")
