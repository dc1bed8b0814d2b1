"""When scheduled runs of many applications are held back, so that a mistake does not reach them all. Pure.

Who asked for a run gets it; and no secret is let expire.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from keyturn.kit.dataclasses import dataclass

HOUR = timedelta(hours=1)
LOOKED_BACK = timedelta(days=1)
"""What failed before says nothing any more: then one is tried again."""
IN_A_ROW = 3


@dataclass(frozen=True)
class Recent:
    """What the rotations of other applications did lately, in one organization.

    ``begun`` are the moments at which scheduled runs began within the last hour; ``unproven`` says of the runs that ended last,
    the newest first, whether they failed although there was a new secret: it did not sign in.
    """

    begun: Sequence[datetime]
    unproven: Sequence[bool]


def held_back(recent: Recent, most: int, now: datetime) -> tuple[timedelta, str] | None:
    """Return for how long a scheduled run is put off, and why; None when it may begin. ``most`` 0 sets no limit."""
    if len(recent.unproven) >= IN_A_ROW and all(recent.unproven[:IN_A_ROW]):
        return HOUR, f"the new secrets of the last {IN_A_ROW} runs did not sign in: see why, and rotate one of them"
    if most and len(recent.begun) >= most:
        wait = min(recent.begun) + HOUR - now
        return max(
            wait, timedelta(minutes=1)
        ), f"{most} applications were rotated within an hour, as many as are allowed"
    return None
