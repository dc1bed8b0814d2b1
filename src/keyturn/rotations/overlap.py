"""For how long the previous secret of an application is promised to work after it was replaced. Pure."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from keyturn.errors import Refused

UNTIL_PROVEN = "until-proven"
"""Not at all: the new one has signed in by then. Only for a credential that this server alone signs in with."""
UNTIL_NEXT_ROTATION = "until-next-rotation"
UNTIL_SWITCHED = "until-consumers-switched"
"""Until no consumer holds it; alone, or with a longest wait: ``until-consumers-switched:7d``. Who never announced how often it
comes counts as holding it until the next rotation."""
BEFORE_NEXT_RUN = timedelta(hours=1)
"""So long before the next run the longest wait is over at the latest."""
LONGEST_DAYS = 365

_DURATION = re.compile(r"([1-9][0-9]{0,3})([hd])")


def require_overlap(text: str) -> None:
    """Raise Refused for what is no promise to readers of secrets.

    Promises are the words above, hours and days such as 12h and 3d, and ``until-consumers-switched:7d`` with a longest wait.
    """
    if text in {UNTIL_NEXT_ROTATION, UNTIL_SWITCHED}:
        return
    length = _length(text.removeprefix(f"{UNTIL_SWITCHED}:"))
    if length is None or length > timedelta(days=LONGEST_DAYS):
        raise Refused(
            f"'{text[:40]}' is no time for which the previous secret can be kept.",
            code="rotation.overlap",
            fix=f"Send '{UNTIL_NEXT_ROTATION}', whole hours or days up to {LONGEST_DAYS}d, such as 12h or 3d, "
            f"'{UNTIL_SWITCHED}', or that with a longest wait, such as '{UNTIL_SWITCHED}:7d'.",
            field="overlap",
        )


def promised_until(overlap: str, published_at: datetime, next_slot: datetime) -> datetime:
    """Return until when readers of the secret that was replaced then may rely on it at most.

    What cannot be understood counts as the longest usual promise.
    """
    if overlap == UNTIL_PROVEN:
        return published_at
    length = _length(overlap)
    return next_slot if length is None else published_at + length


def waits_until(overlap: str, published_at: datetime, next_run: datetime) -> datetime | None:
    """Return how long the secret that was replaced then waits for consumers that go on using it, and say so.

    None: it waits for nobody. The wait is over before the next run, which may need the room.
    """
    if not overlap.startswith(UNTIL_SWITCHED):
        return None
    interval = max(next_run - published_at, timedelta())
    latest = next_run - min(BEFORE_NEXT_RUN, interval / 10)
    length = _length(overlap.removeprefix(f"{UNTIL_SWITCHED}:"))
    return max(published_at, latest if length is None else min(published_at + length, latest))


def longest(overlaps: Iterable[str]) -> str:
    """Return the one that promises most to readers who were promised these.

    Until the next rotation counts as more than any time. Of a wait and something else neither promises more: then it is that.
    """
    shared = list(overlaps)
    if len({text.startswith(UNTIL_SWITCHED) for text in shared}) > 1:
        return UNTIL_NEXT_ROTATION
    lengths = {text: _length(text.removeprefix(f"{UNTIL_SWITCHED}:")) for text in shared}
    return max(shared, key=lambda text: lengths[text] or timedelta.max, default=UNTIL_NEXT_ROTATION)


def _length(text: str) -> timedelta | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    number = int(match[1])
    return timedelta(hours=number) if match[2] == "h" else timedelta(days=number)
