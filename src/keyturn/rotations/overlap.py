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
UNTIL_UNUSED = "until-unused"
"""Until it is shown not to be used any more, and for a grace time in any case: ``until-unused:3d``. Who still uses it is seen
in the provider's reports, or by what consumers acknowledge. Where neither shows anything it stays until its own end."""
USUAL_GRACE = timedelta(hours=28)
"""As long as a program may live on a token."""
BEFORE_NEXT_RUN = timedelta(hours=1)
"""So long before the next run the longest wait is over at the latest."""
LONGEST_DAYS = 365

_DURATION = re.compile(r"([1-9][0-9]{0,3})([hd])")


def require_overlap(text: str) -> None:
    """Raise Refused for what is no promise to readers of secrets.

    Promises are the words above, hours and days such as 12h and 3d, ``until-consumers-switched:7d`` with a longest wait, and
    ``until-unused:3d`` with a grace time.
    """
    if text in {UNTIL_NEXT_ROTATION, UNTIL_SWITCHED, UNTIL_UNUSED}:
        return
    length = _length(_argument(text))
    if length is None or length > timedelta(days=LONGEST_DAYS):
        raise Refused(
            f"'{text[:40]}' is no time for which the previous secret can be kept.",
            code="rotation.overlap",
            fix=f"Send '{UNTIL_NEXT_ROTATION}', whole hours or days up to {LONGEST_DAYS}d, such as 12h or 3d, "
            f"'{UNTIL_SWITCHED}', or that with a longest wait, such as '{UNTIL_SWITCHED}:7d'; '{UNTIL_UNUSED}', or that with a "
            f"grace time, such as '{UNTIL_UNUSED}:3d'.",
            field="overlap",
        )


def promised_until(
    overlap: str, published_at: datetime, next_slot: datetime, ends_at: datetime | None = None
) -> datetime:
    """Return until when readers of the secret that was replaced then may rely on it at most.

    ``ends_at`` is its own end, if it may stay until then: one that is still used does. What cannot be understood counts as the
    longest usual promise.
    """
    if overlap == UNTIL_PROVEN:
        return published_at
    if overlap.startswith(UNTIL_UNUSED) and ends_at is not None:
        return max(published_at, min(ends_at, published_at + timedelta(days=LONGEST_DAYS)))
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


def grace_until(overlap: str, published_at: datetime) -> datetime | None:
    """Return until when a secret that was replaced then is kept though nobody uses it; None: its use decides nothing."""
    if not overlap.startswith(UNTIL_UNUSED):
        return None
    return published_at + (_length(_argument(overlap)) or USUAL_GRACE)


def waits(overlap: str, published_at: datetime, next_run: datetime, until: datetime) -> dict[str, datetime | None]:
    """Return what a secret that was replaced then waits for, as columns of the journal. ``until`` is what it waits at most."""
    grace = grace_until(overlap, published_at)
    if grace is None:
        return {"wait_ends_at": waits_until(overlap, published_at, next_run), "grace_ends_at": None}
    return {"wait_ends_at": until, "grace_ends_at": min(grace, until)}


def longest(overlaps: Iterable[str]) -> str:
    """Return the one that promises most to readers who were promised these.

    Until the next rotation counts as more than any time. Of a wait and something else neither promises more: then it is that.
    """
    shared = list(overlaps)
    if len({text.partition(":")[0] if text.startswith((UNTIL_SWITCHED, UNTIL_UNUSED)) else "" for text in shared}) > 1:
        return UNTIL_NEXT_ROTATION
    usual = USUAL_GRACE if all(text.startswith(UNTIL_UNUSED) for text in shared) else None
    lengths = {text: _length(_argument(text)) or usual for text in shared}
    return max(shared, key=lambda text: lengths[text] or timedelta.max, default=UNTIL_NEXT_ROTATION)


def _argument(text: str) -> str:
    """Return the time that is said with a promise; the promise itself where it is one."""
    word, _, time = text.partition(":")
    return time if word in {UNTIL_SWITCHED, UNTIL_UNUSED} and time else text


def _length(text: str) -> timedelta | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    number = int(match[1])
    return timedelta(hours=number) if match[2] == "h" else timedelta(days=number)
