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


def days_in_words(length: timedelta) -> str:
    """Return a length in whole days, or in hours where it is less than two days."""
    days = length / timedelta(days=1)
    return counted(round(days), "day") if days >= 2 else counted(round(length / timedelta(hours=1)), "hour")
