"""When the next run of a rotation is due, and how long a new secret lives. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from keyturn.credentials.domain import Credential
from keyturn.kit.moments import moved
from keyturn.rotations import waits
from keyturn.rotations.domain import Reason, Rotation
from keyturn.rotations.schedule import Anchor, Schedule, last_slot, next_slot, upcoming

USUAL_INTERVALS = 2


def lifetime(rotation: Rotation) -> timedelta:
    """How long a new secret lives: two intervals and three days, unless set; one interval and three days under a policy."""
    if rotation.lifetime_days:
        return timedelta(days=rotation.lifetime_days)
    return life(rotation.schedule, 1 if rotation.short_lifetime else USUAL_INTERVALS)


def life(schedule: Schedule, intervals: int) -> timedelta:
    return timedelta(days=intervals * schedule.interval_days + 3)


def guard(starts_at: datetime, ends_at: datetime) -> datetime:
    """The moment by which a secret must be replaced whatever the schedule says: its end less a day or a tenth of its life."""
    return moved(ends_at, -max(timedelta(days=1), (ends_at - starts_at) / 10))


@dataclass(frozen=True)
class NextRun:
    at: datetime
    reason: Reason
    slot: datetime


def anchor_after(schedule: Schedule, slot: datetime | None, now: datetime) -> Anchor:
    """What the next run is counted from once a run has published: its slot, or now if it had none.

    Also now if the slot lies ahead, as noted by a wrong clock, and if the next slot has already gone by (the server was down for
    more than an interval), so that a long outage is followed by one run, not by one for each interval missed.
    """
    anchor = Anchor(slot, scheduled=True) if slot and slot <= now else Anchor(now, scheduled=False)
    return anchor if next_slot(schedule, anchor) > now else Anchor(now, scheduled=False)


def next_run(schedule: Schedule, anchor: Anchor, current: Credential | None) -> NextRun:
    """When the next run is due: the slot, or earlier if the current secret would not live that long.

    Earlier means at the same time of day, unless the secret is so short-lived that a day of its life counts.
    """
    slot = next_slot(schedule, anchor)
    if current and current.begins_at and current.ends_at:
        limit = guard(current.begins_at, current.ends_at)
        if limit < slot:
            at_time_of_day = last_slot(schedule, limit)
            early_enough = at_time_of_day - current.begins_at >= (limit - current.begins_at) / 2
            return NextRun(at_time_of_day if early_enough else limit, Reason.EXPIRY, slot)
    return NextRun(slot, Reason.SCHEDULED, slot)


def coming_runs(rotation: Rotation, count: int, now: datetime) -> Sequence[datetime]:
    """Return when the next runs will be if each succeeds at once: none while the rotation is paused."""
    first = waits.due(rotation, now)
    if first is None:
        return ()
    anchor = Anchor(first, scheduled=False)
    if rotation.anchor and (slot := next_slot(rotation.schedule, waits.known(rotation.anchor, now))) <= first:
        anchor = anchor_after(rotation.schedule, slot, first)  # a run that starts late still counts from its slot
    return upcoming(rotation.schedule, first, anchor, count)
