"""When the next run of a rotation is due, and how long a new secret lives. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.credentials.domain import Credential
from keyturn.kit import zones
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import in_zone, shift
from keyturn.rotations import waits
from keyturn.rotations.domain import ASKED_FOR, Reason, Rotation, RotationState
from keyturn.rotations.freezes.domain import (
    FreezeWindow,
    FreezeWindows,
    PermittedSlot,
    first_permitted_slot,
    freeze_at,
    last_permitted,
    obstacle_at,
)
from keyturn.rotations.schedule import EVERY_DAY, Anchor, Schedule, last_slot, next_slot, upcoming

USUAL_INTERVALS = 2
BY_ITSELF = frozenset({Reason.SCHEDULED, Reason.EXPIRY})
"""What nobody asked for waits for a day on which something may be rotated."""


def lifetime(rotation: Rotation) -> timedelta:
    """How long a new secret lives: two intervals and three days, unless set; one interval and three days under a policy."""
    if rotation.lifetime_days:
        return timedelta(days=rotation.lifetime_days)
    return life(rotation.schedule, 1 if rotation.short_lifetime else USUAL_INTERVALS)


def life(schedule: Schedule, intervals: int) -> timedelta:
    return timedelta(days=intervals * schedule.interval_days + 3)


def guard(starts_at: datetime, ends_at: datetime) -> datetime:
    """The moment by which a secret must be replaced whatever the schedule says: its end less a day or a tenth of its life."""
    return shift(ends_at, -max(timedelta(days=1), (ends_at - starts_at) / 10))


@dataclass(frozen=True)
class NextRun:
    """``slot`` is when the schedule asks for it, ``at`` when it starts."""

    at: datetime
    reason: Reason
    slot: datetime

    @property
    def moved_days(self) -> int:
        """By how many days at most it starts after its slot."""
        return (self.at - self.slot).days + 1 if self.at > self.slot else 0


@dataclass(frozen=True)
class ComingRun:
    """When a run starts, and why not when the schedule asks for it."""

    at: datetime
    note: str = ""


def anchor_after(schedule: Schedule, slot: datetime | None, now: datetime) -> Anchor:
    """What the next run is counted from once a run has published: its slot, or now if it had none.

    Also now if the slot lies ahead, as noted by a wrong clock, and if the next slot has already gone by (the server was down for
    more than an interval), so that a long outage is followed by one run, not by one for each interval missed.
    """
    anchor = Anchor(slot, scheduled=True) if slot and slot <= now else Anchor(now, scheduled=False)
    return anchor if next_slot(schedule, anchor) > now else Anchor(now, scheduled=False)


def next_run(
    schedule: Schedule, anchor: Anchor, current: Credential | None, windows: Sequence[FreezeWindow] = ()
) -> NextRun:
    """When the next run is due: the slot or, where nothing is rotated then, the next one that is permitted; earlier if the
    current secret would not live that long.

    Earlier means at the same time of day, unless the secret is so short-lived that a day of its life counts, and on a permitted
    day: before a freeze rather than in it. Where there is none the freeze gives way: no secret ends because of one.
    """
    slot = next_slot(schedule, anchor)
    planned = first_permitted_slot(schedule, windows, slot)
    if current and current.begins_at and current.ends_at:
        limit = guard(current.begins_at, current.ends_at)
        if limit < planned.at:
            return NextRun(_before(schedule, windows, limit, current.begins_at), Reason.EXPIRY, slot)
    return NextRun(planned.at, Reason.SCHEDULED, slot)


def planned_run(
    schedule: Schedule, anchor: Anchor, current: Credential | None, windows: Sequence[FreezeWindow], now: datetime
) -> NextRun:
    """When the next run starts that is planned now: as :func:`next_run` says or, where that moment has gone by and nothing is
    rotated now, when something is.
    """
    due = next_run(schedule, waits.known_anchor(anchor, now), current, windows)
    vanished = current is not None and current.removed_at is not None
    later = put_off(schedule, windows, now, current) if due.at <= now and not vanished else None
    return replace(due, at=later.at) if later else due


def _before(schedule: Schedule, windows: Sequence[FreezeWindow], limit: datetime, begins_at: datetime) -> datetime:
    at_time_of_day = last_slot(schedule, limit)
    early_enough = at_time_of_day - begins_at >= (limit - begins_at) / 2
    at = at_time_of_day if early_enough else limit
    if obstacle_at(schedule, windows, at) is None:
        return at
    # Not within a day of the last run: what is new then lives no longer than what it replaces.
    return last_permitted(schedule, windows, at, shift(begins_at, timedelta(days=1))) or at


def put_off(
    schedule: Schedule, windows: Sequence[FreezeWindow], now: datetime, current: Credential | None
) -> PermittedSlot | None:
    """Return until when a run that is due now waits, since nothing is rotated now; None: it starts.

    It never waits for longer than the current secret can be replaced in time; where that is planned within a freeze, not for
    longer than until then.
    """
    later = first_permitted_slot(schedule, windows, now)
    if later.moved_from is None:
        return None
    until = later.at
    if current and current.begins_at and current.ends_at:
        limit = guard(current.begins_at, current.ends_at)
        planned = _before(schedule, windows, limit, current.begins_at)
        until = min(until, planned if obstacle_at(schedule, windows, planned) else limit)
    return replace(later, at=until) if until > now else None


def reason_of_run(state: RotationState, now: datetime) -> tuple[Reason, datetime | None]:
    """Say why a run that is due now starts, and for which slot of the schedule; None where it is for none."""
    rotation, current, newest = state.rotation, state.current, state.last_run
    if current is not None and current.removed_at is not None:
        return Reason.VANISHED, None
    requested = newest if rotation.paused_until and newest and newest.asked_for else None
    if requested and requested.reason in ASKED_FOR:
        return requested.reason, None  # what somebody asked for failed, and is tried again
    if rotation.generation == 0 or rotation.anchor is None:
        return Reason.ENABLED, None
    due = next_run(rotation.schedule, waits.known_anchor(rotation.anchor, now), current, state.windows)
    if due.at > now:
        # What somebody joined is tried again, although the schedule was put off meanwhile. Else the moment of the next run was
        # noted by a wrong clock, and counts as now.
        return (Reason.MANUAL if requested else Reason.SCHEDULED), None
    return due.reason, due.slot if due.reason is Reason.SCHEDULED else None


def next_attempt(state: RotationState) -> datetime | None:
    """Return when the next run starts by itself; None when it does not.

    Where a pause after a failure ends on a day on which nothing is rotated that is later, unless somebody asked for the run.
    """
    due = state.rotation.due_at
    return _after_pause(state, due).at if due else None


DONE_IN_TIME = timedelta(days=1)
"""A rotation that runs by itself replaces its credential longer than this before the end."""


def replaced_in_time(state: RotationState, now: datetime) -> bool:
    """Say whether the current credential is replaced by itself long enough before its end, so that nobody has to act."""
    due, ends_at = next_attempt(state), state.current_ends_at
    if state.failed or due is None:
        return False
    return ends_at is None or shift(max(due, now), DONE_IN_TIME) <= ends_at


def _after_pause(state: RotationState, due: datetime) -> PermittedSlot:
    """Return when a run starts that is due then: a moment that was planned is a permitted one, the end of a pause may not be."""
    rotation = state.rotation
    may_wait = rotation.paused_until is not None and reason_of_run(state, due)[0] in BY_ITSELF
    later = put_off(rotation.schedule, state.windows, due, state.current) if may_wait else None
    return later or PermittedSlot(due)


def coming_runs(state: RotationState, count: int, now: datetime) -> Sequence[ComingRun]:
    """Return when the next runs will be if each succeeds at once: none while the rotation is paused."""
    rotation, windows, ends_at = state.rotation, state.windows, state.current_ends_at
    due = waits.due(rotation, now)
    if due is None:
        return ()
    permitted = _after_pause(state, due)
    first, note = permitted.at, _moved(permitted, rotation.schedule)
    anchor = Anchor(first, scheduled=False)
    if rotation.anchor:
        slot = next_slot(rotation.schedule, waits.known_anchor(rotation.anchor, now))
        if not rotation.paused_until:
            note = _note(rotation.schedule, windows, slot, first, ends_at)
        if slot <= first:
            # A run that starts late still counts from its slot.
            anchor = anchor_after(rotation.schedule, slot, first)
    return runs_from(rotation.schedule, ComingRun(first, note), anchor, count, windows)


def _note(schedule: Schedule, windows: FreezeWindows, slot: datetime, at: datetime, ends_at: datetime | None) -> str:
    """Say why a run starts at this moment, and not in its slot."""
    planned = first_permitted_slot(schedule, windows, slot)
    if at == planned.at:
        return _moved(planned, schedule)
    obstacle = obstacle_at(schedule, windows, at)
    if ends_at is None or (at > planned.at and obstacle is None):
        return _missed(schedule, windows, slot, at) if at > planned.at else ""
    end = f"the secret ends {_day(ends_at, schedule)}"
    if obstacle:
        return f"although there are {obstacle.why}: {end}"
    freeze = freeze_at(windows, planned.moved_from) if planned.moved_from else None
    return f"before {freeze.told()}: {end}" if freeze else f"earlier than scheduled: {end}"


def _missed(schedule: Schedule, windows: FreezeWindows, slot: datetime, at: datetime) -> str:
    """Say what a run waits for that did not start in its slot: for the end of what is just before."""
    obstacle = obstacle_at(schedule, windows, last_slot(schedule, at - _MOMENT))
    return _moved(PermittedSlot(at, slot, obstacle.why), schedule) if obstacle else ""


def run_of_slot(schedule: Schedule, slot: datetime, windows: FreezeWindows) -> ComingRun:
    """Return when the run of a slot starts."""
    moved_slot = first_permitted_slot(schedule, windows, slot)
    return ComingRun(moved_slot.at, _moved(moved_slot, schedule))


def runs_from(
    schedule: Schedule, first: ComingRun, anchor: Anchor, count: int, windows: FreezeWindows = ()
) -> Sequence[ComingRun]:
    """Return ``first`` and the runs after it, counted from the anchor; fewer than ``count`` where the calendar ends."""
    if not windows and schedule.weekdays == EVERY_DAY:
        return (first, *(ComingRun(at) for at in upcoming(schedule, first.at, anchor, count)[1:]))
    runs, wanted = [first], count
    while len(runs) < count and wanted <= count * _LOOKED_AT:
        wanted *= 2
        found = [run_of_slot(schedule, slot, windows) for slot in upcoming(schedule, first.at, anchor, wanted)[1:]]
        by_moment = {run.at: run for run in reversed(found) if run.at > first.at}  # several may move to one day
        runs = [first, *(by_moment[at] for at in sorted(by_moment))]
    return tuple(runs[:count])


_MOMENT = timedelta(seconds=1)
_LOOKED_AT = 32
"""So many slots for each run that is shown: with a daily schedule all of a freeze move to its end."""


def _moved(slot: PermittedSlot, schedule: Schedule) -> str:
    return f"moved from {_day(slot.moved_from, schedule, weekday=True)}: {slot.why}" if slot.moved_from else ""


def _day(at: datetime, schedule: Schedule, *, weekday: bool = False) -> str:
    local = in_zone(at, zones.display_zone(schedule.time_zone))
    return f"{local:%a} {local.day} {local:%b}" if weekday else f"{local.day} {local:%b}"
