"""Weekdays and freeze windows: what is put off, until when, and what no freeze may reach."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.credentials.domain import Credential, State
from keyturn.kit import zones
from keyturn.rotations.domain import Reason, Rotation, RotationState, Run, RunState
from keyturn.rotations.freezes.domain import (
    LONGEST_MOVE,
    FreezeWindow,
    FreezeWindows,
    first_permitted_slot,
    freeze_at,
    next_freeze,
    obstacle_at,
)
from keyturn.rotations.run_schedule import coming_runs, guard, next_attempt, next_run, put_off
from keyturn.rotations.schedule import EVERY_DAY, Anchor, Schedule, last_slot, next_slot
from tests.unit.rotations.model import ROTATION

ZONES = sorted(zones.names())
OSLO = "Europe/Oslo"
YEAR_END = FreezeWindow("f", "Year end", "Nobody is here.", date(2025, 12, 20), date(2026, 1, 6), OSLO, yearly=True)
NOT_ON_FRIDAY = EVERY_DAY - {4}

schedules = st.builds(
    Schedule,
    interval_days=st.integers(1, 365),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    time_zone=st.sampled_from(ZONES),
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
)
windows = st.lists(
    st.builds(
        lambda first, days, zone, yearly: FreezeWindow("f", "F", "", first, first + timedelta(days), zone, yearly),
        st.dates(date(2024, 1, 1), date(2028, 12, 31)),
        st.integers(0, 91),
        st.sampled_from(ZONES),
        st.booleans(),
    ),
    max_size=3,
).map(tuple)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(OSLO)).astimezone(UTC)


def current(begins: datetime, days: float) -> Credential:
    return Credential(
        "id",
        "r",
        "org",
        "o",
        1,
        State.CURRENT,
        "keyturn n g1 a",
        starts_at=begins,
        ends_at=begins + timedelta(days=days),
    )


def state(
    rotation: Rotation, ends_at: datetime | None, windows: FreezeWindows = (YEAR_END,), run: Run | None = None
) -> RotationState:
    return RotationState(
        rotation, Credential("id", "r", "org", "o", 1, State.CURRENT, "m", ends_at=ends_at), run, windows
    )


def is_frozen(window: FreezeWindow, moment: datetime) -> bool:
    """The same said in another way: by the local day."""
    local = moment.astimezone(ZoneInfo(window.time_zone)).date()
    return any(first <= local <= last for first, last in _times_of(window, local.year))


def _times_of(window: FreezeWindow, year: int) -> Iterator[tuple[date, date]]:
    years = range(max(window.first.year, year - 1), year + 1) if window.yearly else [window.first.year]
    for first_year in years:
        later = first_year - window.first.year
        yield _in_year(window.first, later), _in_year(window.last, later)


def _in_year(day: date, later: int) -> date:
    leap_day = (day.month, day.day) == (2, 29)
    try:
        return day.replace(year=day.year + later)
    except ValueError:
        assert leap_day
        return date(day.year + later, 2, 28)


@given(windows, moments)
def test_a_moment_is_frozen_by_its_local_day(found: tuple[FreezeWindow, ...], moment: datetime) -> None:
    freeze = freeze_at(found, moment)
    assert (freeze is not None) == any(is_frozen(window, moment) for window in found)
    if freeze:
        assert freeze.begins <= moment < freeze.ends
        assert next_freeze(freeze.window, moment) == freeze


@given(schedules, windows, moments)
def test_a_run_moves_to_the_first_permitted_slot(
    schedule: Schedule, found: tuple[FreezeWindow, ...], moment: datetime
) -> None:
    slot = next_slot(schedule, Anchor(moment, scheduled=True))
    moved = first_permitted_slot(schedule, found, slot)
    assert slot <= moved.at
    if moved.moved_from:
        assert (moved.moved_from, bool(moved.why)) == (slot, True)
    if obstacle_at(schedule, found, moved.at):
        assert moved.at - slot >= LONGEST_MOVE, "no day of a whole year is permitted"
    daily = Schedule(1, schedule.hour, schedule.minute, schedule.time_zone)
    day = slot
    while day < moved.at:  # every slot before it is not permitted
        assert obstacle_at(schedule, found, day)
        day = next_slot(daily, Anchor(day, scheduled=True))
    assert day == moved.at


@given(schedules, windows, moments, st.integers(2, 800))
def test_no_secret_ends_because_of_a_freeze(
    schedule: Schedule, found: tuple[FreezeWindow, ...], begins: datetime, days: int
) -> None:
    secret = current(begins, days)
    assert secret.ends_at
    limit = guard(begins, secret.ends_at)
    due = next_run(schedule, Anchor(begins, scheduled=True), secret, found)
    plain = next_run(
        Schedule(schedule.interval_days, schedule.hour, schedule.minute, schedule.time_zone),
        Anchor(begins, scheduled=True),
        secret,
    )
    assert begins < due.at <= max(limit, plain.at)
    if obstacle_at(schedule, found, due.at):
        assert due.reason is Reason.EXPIRY or due.at - due.slot >= LONGEST_MOVE
    later = put_off(schedule, found, due.at, secret)
    assert later is None or due.at < later.at <= limit


def test_a_run_on_a_friday_moves_to_saturday_or_to_the_next_day_that_is_chosen() -> None:
    friday = at("2026-11-27T02:15")
    schedule = Schedule(30, 2, 15, OSLO, NOT_ON_FRIDAY)
    moved = first_permitted_slot(schedule, (), friday)
    assert (moved.at, moved.why) == (at("2026-11-28T02:15"), "no rotations on Friday")
    working = Schedule(30, 2, 15, OSLO, frozenset({1, 2, 3}))
    assert first_permitted_slot(working, (), friday).at == at("2026-12-01T02:15"), "only Tuesday to Thursday"


def test_a_month_over_the_year_end_comes_after_it_and_says_why() -> None:
    schedule = Schedule(30, 2, 15, OSLO, NOT_ON_FRIDAY)
    rotation = shown(schedule, at("2026-11-27T02:15"), last=at("2026-10-28T02:15"))
    first, *later = coming_runs(state(rotation, at("2027-03-01T00:00")), 3, at("2026-11-01T12:00"))
    assert (first.at, first.note) == (at("2026-11-28T02:15"), "moved from Fri 27 Nov: no rotations on Friday")
    assert later[0].at == at("2027-01-07T02:15")
    assert later[0].note == "moved from Sun 27 Dec: no changes: Year end (20 Dec to 6 Jan)"


def shown(schedule: Schedule, due: datetime, last: datetime) -> Rotation:
    moved = first_permitted_slot(schedule, (YEAR_END,), due)
    return replace(shown_at(schedule, moved.at, last), moved_days=(moved.at - due).days + 1)


def shown_at(schedule: Schedule, due: datetime, last: datetime) -> Rotation:
    anchor = Anchor(last, scheduled=True)
    return replace(ROTATION, schedule=schedule, anchor=anchor, next_run_at=due, paused_until=None)


def test_a_secret_that_would_end_in_a_freeze_is_replaced_before_it() -> None:
    schedule, begins = Schedule(30, 2, 15, OSLO), at("2026-11-26T02:15")
    due = next_run(schedule, Anchor(begins, scheduled=True), current(begins, 40), (YEAR_END,))
    assert (due.reason, due.at) == (Reason.EXPIRY, at("2026-12-19T02:15"))
    # Made within the freeze, its end is too near for anything else: then the freeze gives way.
    begins = at("2026-12-21T02:15")
    due = next_run(schedule, Anchor(begins, scheduled=True), current(begins, 8), (YEAR_END,))
    assert (due.reason, due.at) == (Reason.EXPIRY, at("2026-12-28T02:15"))
    note = coming_runs(state(shown_at(schedule, due.at, begins), begins + timedelta(days=8)), 1, begins)[0].note
    assert note == "although there are no changes: Year end (20 Dec to 6 Jan): the secret ends 29 Dec"


def test_where_every_day_is_frozen_a_secret_is_replaced_for_its_end_alone() -> None:
    first = date(2026, 1, 1)
    quarters = [(first + timedelta(92 * n), first + timedelta(92 * n + 91)) for n in range(8)]
    always = tuple(FreezeWindow(str(n), "All", "", begins, ends) for n, (begins, ends) in enumerate(quarters))
    schedule, begins = Schedule(30, 2, 15), datetime(2026, 2, 1, 2, 15, tzinfo=UTC)
    secret = current(begins, 63)
    assert secret.ends_at
    due = next_run(schedule, Anchor(begins, scheduled=True), secret, always)
    assert (due.reason, due.at) == (Reason.EXPIRY, last_slot(schedule, guard(begins, secret.ends_at)))
    later = put_off(schedule, always, due.slot, secret)
    assert later
    assert later.at == due.at, "a run that would start in its slot waits as long"
    assert put_off(schedule, always, due.at + timedelta(seconds=5), secret) is None, "and starts when that was planned"
    note = coming_runs(state(shown_at(schedule, due.at, begins), secret.ends_at, always), 1, begins)[0].note
    assert note.startswith("although there are no changes: All")
    later = put_off(schedule, always, due.slot, current(begins, 730))
    assert later
    assert later.at - due.slot < LONGEST_MOVE + timedelta(days=1), "no moment further ahead is believed"


def test_a_run_that_missed_its_day_says_what_it_waits_for() -> None:
    schedule = Schedule(30, 2, 15, OSLO, frozenset({1}))
    slot = at("2026-11-24T02:15")  # a Tuesday, on which the server was down
    later = put_off(schedule, (), slot + timedelta(days=2), current(slot - timedelta(days=30), 63))
    assert later
    assert later.at == at("2026-12-01T02:15")
    waiting = shown_at(schedule, later.at, last=slot - timedelta(days=30))
    ends_at = at("2027-01-01T00:00")
    assert coming_runs(state(waiting, ends_at, ()), 1, slot + timedelta(days=2))[0].note == (
        "moved from Tue 24 Nov: no rotations on Monday"
    )


def test_a_pause_that_ends_in_a_freeze_is_tried_again_after_it_unless_somebody_asked() -> None:
    schedule, slot = Schedule(30, 2, 15, OSLO), at("2026-12-19T02:15")
    failed = replace(
        shown_at(schedule, slot, last=slot - timedelta(days=30)), generation=3, paused_until=at("2026-12-20T08:00")
    )
    run = Run("run", failed.id, Reason.SCHEDULED, RunState.FAILED, slot, finished_at=slot)
    by_itself = state(failed, at("2027-03-01T00:00"), run=run)
    assert next_attempt(by_itself) == at("2027-01-07T02:15")
    first = coming_runs(by_itself, 1, at("2026-12-20T03:00"))[0]
    assert (first.at, first.note) == (
        at("2027-01-07T02:15"),
        "moved from Sun 20 Dec: no changes: Year end (20 Dec to 6 Jan)",
    )
    assert next_attempt(replace(by_itself, last_run=replace(run, reason=Reason.MANUAL))) == failed.paused_until
    assert next_attempt(replace(by_itself, windows=())) == failed.paused_until


@pytest.mark.parametrize(
    ("year", "begins", "ends"),
    [(2028, "2028-02-29T00:00", "2028-03-01T00:00"), (2029, "2029-02-28T00:00", "2029-03-01T00:00")],
)
def test_a_leap_day_is_the_last_of_february(year: int, begins: str, ends: str) -> None:
    leap = FreezeWindow("f", "Leap", "", date(2028, 2, 29), date(2028, 2, 29), OSLO, yearly=True)
    freeze = next_freeze(leap, at(f"{year}-01-01T00:00"))
    assert freeze
    assert (freeze.begins, freeze.ends) == (at(begins), at(ends))


def test_a_freeze_counts_on_its_own_clocks_over_the_change_to_summer_time() -> None:
    night = FreezeWindow("f", "Night", "", date(2026, 3, 29), date(2026, 3, 29), OSLO)
    freeze = freeze_at((night,), datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert freeze
    assert freeze.ends - freeze.begins == timedelta(hours=23)
