"""The schedule, in every zone, judged by another computation that looks at every offset."""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keyturn.kit import zones
from keyturn.kit.moments import FIRST, LAST
from keyturn.rotations.schedule import Anchor, Schedule, last_slot, next_slot, upcoming
from keyturn_simulation.schedule_oracle import first_instant_at, slot_after
from tests.simulation.seeds import share

TWO_YEARS = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
ZONES = sorted(zones.names())

schedules = st.builds(
    Schedule,
    interval_days=st.integers(1, 365),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    time_zone=st.sampled_from(ZONES),
)
anchors = st.builds(
    Anchor,
    at=st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
    scheduled=st.booleans(),
)


@cache
def transitions(zone_name: str) -> tuple[datetime, ...]:
    """The moments of two years at which the zone's clocks are put forward or back, to the minute."""
    zone = ZoneInfo(zone_name)
    changes, moment = [], TWO_YEARS[0]
    while moment < TWO_YEARS[1]:
        later = moment + timedelta(days=1)
        if moment.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            low, high = moment, later
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                same = middle.astimezone(zone).utcoffset() == moment.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            changes.append(high.replace(second=0, microsecond=0))
        moment = later
    return tuple(changes)


@pytest.mark.parametrize("zone", share(ZONES, 6))
def test_every_transition_of_two_years(zone: str) -> None:
    for change in transitions(zone):
        for minutes in (-121, -61, -30, -1, 0, 1, 29, 31, 59, 61, 119):
            wall = (change + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone))
            schedule = Schedule(1, wall.hour, wall.minute, zone)
            anchor = Anchor(change - timedelta(days=1, hours=5), scheduled=True)
            expected = slot_after(anchor.at, scheduled=True, interval_days=1, at=wall.time(), zone_name=zone)
            assert next_slot(schedule, anchor) == expected.replace(second=0)


@given(schedule=schedules, anchor=anchors)
@example(Schedule(1, 2, 30, "America/New_York"), Anchor(datetime(2026, 3, 7, 7, 30, tzinfo=UTC), scheduled=True))
@example(Schedule(1, 1, 45, "Australia/Lord_Howe"), Anchor(datetime(2026, 4, 4, 2, 0, tzinfo=UTC), scheduled=True))
@example(Schedule(7, 12, 0, "Pacific/Apia"), Anchor(datetime(2011, 12, 23, 12, 0, tzinfo=UTC), scheduled=True))
def test_the_next_slot_is_what_the_almanac_says(schedule: Schedule, anchor: Anchor) -> None:
    expected = slot_after(
        anchor.at,
        scheduled=anchor.scheduled,
        interval_days=schedule.interval_days,
        at=time(schedule.hour, schedule.minute),
        zone_name=schedule.time_zone,
    )
    assert next_slot(schedule, anchor) == expected


@given(schedule=schedules, anchor=anchors)
def test_the_next_slot_is_after_its_anchor(schedule: Schedule, anchor: Anchor) -> None:
    if anchor.scheduled:
        anchor = Anchor(next_slot(schedule, anchor), scheduled=True)  # a scheduled run's anchor is a slot
    assert next_slot(schedule, anchor) > anchor.at


@given(schedule=schedules, at=anchors)
def test_a_run_that_was_not_scheduled_is_followed_by_a_full_interval(schedule: Schedule, at: Anchor) -> None:
    slot = next_slot(schedule, Anchor(at.at, scheduled=False))
    zone = ZoneInfo(schedule.time_zone)
    days = (slot.astimezone(zone).date() - at.at.astimezone(zone).date()).days
    assert schedule.interval_days <= days <= schedule.interval_days + 2  # a day that does not exist may add one


@given(schedule=schedules, anchor=anchors, count=st.integers(2, 30))
def test_slots_strictly_increase(schedule: Schedule, anchor: Anchor, count: int) -> None:
    slots = upcoming(schedule, next_slot(schedule, anchor), anchor, count)
    assert len(slots) == count
    assert all(earlier < later for earlier, later in pairwise(slots))


@given(schedule=schedules, anchor=anchors, later=st.timedeltas(timedelta(0), timedelta(days=800)))
def test_a_later_anchor_never_has_an_earlier_slot(schedule: Schedule, anchor: Anchor, later: timedelta) -> None:
    other = Anchor(anchor.at + later, scheduled=anchor.scheduled)
    assert next_slot(schedule, anchor) <= next_slot(schedule, other)


@pytest.mark.parametrize(
    ("zone", "day", "at", "utc"),
    [
        ("America/New_York", (2026, 3, 8), time(2, 30), "2026-03-08T07:00"),  # springs from 2:00 to 3:00
        ("America/New_York", (2026, 11, 1), time(1, 30), "2026-11-01T05:30"),  # twice: the first time
        ("Europe/Oslo", (2026, 3, 29), time(2, 0), "2026-03-29T01:00"),
        ("Europe/Oslo", (2026, 10, 25), time(2, 59), "2026-10-25T00:59"),
        ("Australia/Lord_Howe", (2026, 10, 4), time(2, 15), "2026-10-03T15:30"),  # springs by half an hour
        ("Pacific/Apia", (2011, 12, 30), time(12, 0), "2011-12-30T10:00"),  # a day that never was
    ],
)
def test_known_gaps_and_folds(zone: str, day: tuple[int, int, int], at: time, utc: str) -> None:
    date = datetime(*day).date()  # noqa: DTZ001 - a calendar day
    expected = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert first_instant_at(date, at, zone) == expected
    noon_before = datetime.combine(date - timedelta(days=1), time(0), ZoneInfo(zone)).astimezone(UTC)
    schedule = Schedule(1, at.hour, at.minute, zone)
    if zone != "Pacific/Apia":
        assert next_slot(schedule, Anchor(noon_before, scheduled=True)) == expected


@given(schedules, st.datetimes(timezones=st.just(UTC)) | st.sampled_from([FIRST, LAST]), st.booleans())
def test_the_calendar_ends_without_a_fault(schedule: Schedule, at: datetime, scheduled: bool) -> None:
    anchor = Anchor(at, scheduled)
    assert at <= next_slot(schedule, anchor) <= LAST
    slots = upcoming(schedule, at, anchor, 5)
    assert 1 <= len(slots) <= 5
    assert list(slots) == sorted(slots)


def test_a_zone_that_cannot_be_loaded_counts_as_utc() -> None:
    anchor = Anchor(datetime(2026, 3, 1, tzinfo=UTC), scheduled=True)
    assert next_slot(Schedule(7, 2, 15, "Mars/Base"), anchor) == next_slot(Schedule(7, 2, 15, "UTC"), anchor)


@given(schedules, anchors)
def test_the_last_slot_is_the_latest_one_by_the_calendar(schedule: Schedule, anchor: Anchor) -> None:
    limit, at, zone = anchor.at, time(schedule.hour, schedule.minute), schedule.time_zone
    today = limit.astimezone(ZoneInfo(zone)).date()
    days = [first_instant_at(today - timedelta(days=back), at, zone) for back in range(3)]
    assert last_slot(schedule, limit) == max(day for day in days if day <= limit)


def test_the_last_slot_at_the_ends_of_the_calendar_is_the_limit() -> None:
    for limit in (FIRST, LAST):
        assert abs(last_slot(Schedule(30, 2, 15, "Pacific/Kiritimati"), limit) - limit) <= timedelta(days=1)
