"""Another way to compute when a rotation is due, to judge the product's: slow, without cases, by looking at every offset."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_AROUND = timedelta(hours=36)
_STEP = timedelta(minutes=15)


def first_instant_at(day: date, at: time, zone_name: str) -> datetime:
    """Return the first instant at which the zone's clocks show that wall time of that day, or have jumped past it.

    Offsets change on whole minutes in all years that a schedule can be in.
    """
    zone, wall = ZoneInfo(zone_name), datetime.combine(day, at)
    middle = wall.replace(tzinfo=UTC)
    probe, offsets = middle - _AROUND, set[timedelta]()
    changes: list[datetime] = []
    last: timedelta | None = None
    while probe <= middle + _AROUND:
        offset = probe.astimezone(zone).utcoffset() or timedelta()
        if last is not None and offset != last:
            changes.append(_change(probe - _STEP, probe, zone))
        offsets.add(offset)
        last = offset
        probe += _STEP
    moments = [middle - offset for offset in offsets] + changes
    return min(moment for moment in moments if moment.astimezone(zone).replace(tzinfo=None) >= wall)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second at which the offset differs from that of ``before``."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def slot_after(anchor: datetime, *, scheduled: bool, interval_days: int, at: time, zone_name: str) -> datetime:
    """Return the slot that follows an anchor: whole days on the zone's calendar; a full interval after an unscheduled run."""
    local = anchor.astimezone(ZoneInfo(zone_name))
    day = local.date() + timedelta(days=interval_days)
    if not scheduled and local.time().replace(tzinfo=None) > at:
        day += timedelta(days=1)
    return first_instant_at(day, at, zone_name)
