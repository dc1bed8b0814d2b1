"""On which days nothing is rotated: freeze windows of an organization or a project, and the weekdays of a schedule. Pure.

A freeze is whole days on the clocks of its own time zone. It puts off what the schedule asks for; see ``run_schedule`` for
the end of a secret, which no freeze may reach.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache

from keyturn.kit import zones
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import in_zone, shift
from keyturn.rotations.schedule import EVERY_DAY, WEEKDAYS, Schedule, first_slot, last_slot, local_instant

LONGEST_FREEZE = 92
"""In days."""
LONGEST_MOVE = timedelta(days=366)
"""By about so much a slot is moved where no day of a whole year is permitted: secrets end before, and those runs are earlier."""
_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True)
class FreezeWindow:
    """From the beginning of the day ``first`` to the end of the day ``last``, on the clocks of ``time_zone``.

    ``yearly``: again each year from then on; the 29th of February is the 28th where there is none. ``project_id`` None: for all
    of the organization.
    """

    id: str
    name: str
    reason: str
    first: date
    last: date
    time_zone: str = "UTC"
    yearly: bool = False
    project_id: str | None = None


FreezeWindows = tuple[FreezeWindow, ...]


@dataclass(frozen=True)
class Freeze:
    """One time of a window: from ``begins`` on and before ``ends``, in UTC."""

    window: FreezeWindow
    begins: datetime
    ends: datetime

    @property
    def name(self) -> str:
        return self.window.name

    def told(self) -> str:
        """Return it with its days: ``Year end (20 Dec to 6 Jan)``."""
        zone = zones.display_zone(self.window.time_zone)
        first, last = in_zone(self.begins, zone), in_zone(self.ends - _MOMENT, zone)
        return f"{self.name} ({first.day} {first:%b} to {last.day} {last:%b})"


@dataclass(frozen=True)
class Obstacle:
    """Why nothing is rotated at a moment, and from when on that may be otherwise. ``since`` is when it began."""

    why: str
    since: datetime
    until: datetime
    freeze: Freeze | None = None


@dataclass(frozen=True)
class PermittedSlot:
    """When a run may start. ``moved_from`` is the slot that asked for it, where that is not permitted, ``why`` the reason."""

    at: datetime
    moved_from: datetime | None = None
    why: str = ""


def days_in(window: FreezeWindow) -> int:
    return (window.last - window.first).days + 1


@lru_cache(maxsize=4096)
def _in_year(window: FreezeWindow, year: int) -> Freeze | None:
    """Return the time of the window that begins in this year; None where it has none, or the calendar ends."""
    later = year - window.first.year
    if later < 0 or (later > 0 and not window.yearly):
        return None
    midnight = Schedule(1, 0, 0, window.time_zone)
    try:
        begins = local_instant(_start_of(_same_day(window.first, later)), midnight)
        ends = local_instant(_start_of(_same_day(window.last, later)) + timedelta(days=1), midnight)
    except (OverflowError, ValueError):
        return None
    return Freeze(window, begins, ends)


def _same_day(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February; or the end of the calendar, which raises again
        return day.replace(year=day.year + years, day=28)


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a local day


def freeze_at(windows: Sequence[FreezeWindow], at: datetime) -> Freeze | None:
    """Return the freeze that the moment is in; of several the one that ends last."""
    found = [freeze for window in windows for freeze in _near(window, at) if freeze.begins <= at < freeze.ends]
    return max(found, key=lambda freeze: freeze.ends, default=None)


def next_freeze(window: FreezeWindow, at: datetime) -> Freeze | None:
    """Return the time of the window that the moment is in, or else the next one; None when it is over for good."""
    years = range(at.year - 1, at.year + 3) if window.yearly else (window.first.year,)
    freezes = (_in_year(window, max(year, window.first.year)) for year in years)
    return min(
        (freeze for freeze in freezes if freeze and freeze.ends > at), key=lambda each: each.begins, default=None
    )


def _near(window: FreezeWindow, at: datetime) -> list[Freeze]:
    years = (at.year - 1, at.year, at.year + 1) if window.yearly else (window.first.year,)
    return [freeze for year in years if (freeze := _in_year(window, year))]


def obstacle_at(schedule: Schedule, windows: Sequence[FreezeWindow], at: datetime) -> Obstacle | None:
    """Return why nothing is rotated at the moment; None when something may be."""
    freeze = freeze_at(windows, at)
    if freeze:
        return Obstacle(f"no changes: {freeze.told()}", freeze.begins, freeze.ends, freeze)
    if schedule.weekdays == EVERY_DAY or not schedule.weekdays:
        return None
    local = in_zone(at, zones.display_zone(schedule.time_zone))
    if local.weekday() in schedule.weekdays:
        return None
    midnight = Schedule(1, 0, 0, schedule.time_zone)
    return Obstacle(
        f"no rotations on {WEEKDAYS[local.weekday()].title()}",
        last_slot(midnight, at),
        first_slot(midnight, at + _MOMENT),
    )


def first_permitted_slot(schedule: Schedule, windows: Sequence[FreezeWindow], slot: datetime) -> PermittedSlot:
    """Return the first moment at the wall time, from the slot on, at which something may be rotated. Never raises."""
    at, why, limit = slot, "", shift(slot, LONGEST_MOVE)
    while at <= limit:
        obstacle = obstacle_at(schedule, windows, at)
        if obstacle is None:
            return PermittedSlot(at, slot, why) if at != slot else PermittedSlot(slot)
        why = why or obstacle.why
        later = first_slot(schedule, obstacle.until)
        if later <= at:
            return PermittedSlot(slot)  # the calendar has ended
        at = later
    return PermittedSlot(first_slot(schedule, limit), slot, why)


def last_permitted(
    schedule: Schedule, windows: Sequence[FreezeWindow], limit: datetime, after: datetime
) -> datetime | None:
    """Return the last moment at the wall time, up to the limit and after ``after``, at which something may be rotated."""
    at = last_slot(schedule, limit)
    while at > after:
        obstacle = obstacle_at(schedule, windows, at)
        if obstacle is None:
            return at
        earlier = last_slot(schedule, obstacle.since - _MOMENT)
        if earlier >= at:
            break  # the calendar has ended
        at = earlier
    return None
