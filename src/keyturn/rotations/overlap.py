"""For how long the previous secret of an application is promised to work after it was replaced. Pure."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from keyturn.errors import Refused

UNTIL_PROVEN = "until-proven"
"""Not at all: the new one has signed in by then. Only for a credential that this server alone signs in with."""
UNTIL_NEXT_ROTATION = "until-next-rotation"
UNTIL_SWITCHED = "until-consumers-switched"
LONGEST_DAYS = 365

_DURATION = re.compile(r"([1-9][0-9]{0,3})([hd])")


def require_overlap(text: str) -> None:
    """Raise Refused for what is no promise to readers of secrets: the words above, or hours and days such as 12h and 3d."""
    if text == UNTIL_SWITCHED:
        raise Refused(
            "This server does not know yet who uses which secret, so it cannot wait for them to switch.",
            code="rotation.overlap_not_supported",
            fix=f"Choose '{UNTIL_NEXT_ROTATION}', or a time such as 12h or 3d.",
            field="overlap",
        )
    length = _length(text)
    if text != UNTIL_NEXT_ROTATION and (length is None or length > timedelta(days=LONGEST_DAYS)):
        raise Refused(
            f"'{text[:40]}' is no time for which the previous secret can be kept.",
            code="rotation.overlap",
            fix=f"Send '{UNTIL_NEXT_ROTATION}', or whole hours or days up to {LONGEST_DAYS}d, such as 12h or 3d.",
            field="overlap",
        )


def promised_until(overlap: str, published_at: datetime, next_slot: datetime) -> datetime:
    """Return until when readers of the secret that was replaced then may rely on it.

    What cannot be understood counts as the longest usual promise.
    """
    if overlap == UNTIL_PROVEN:
        return published_at
    length = _length(overlap)
    return next_slot if length is None else published_at + length


def longest(overlaps: Iterable[str]) -> str:
    """Return the one that promises most to readers who were promised these.

    Until the next rotation counts as more than any time.
    """
    return max(overlaps, key=lambda text: _length(text) or timedelta.max, default=UNTIL_NEXT_ROTATION)


def _length(text: str) -> timedelta | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    number = int(match[1])
    return timedelta(hours=number) if match[2] == "h" else timedelta(days=number)
