"""Arithmetic at the ends of the calendar, and what counts of a moment that was stored by a wrong clock."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from keyturn.kit.clock import iso
from keyturn.kit.moments import FIRST, LAST, bound_delay, in_zone, not_after, shift, utc_of

NOW = datetime(2026, 11, 29, tzinfo=UTC)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=offsets) | st.sampled_from([FIRST, LAST])
zones = st.sampled_from(["UTC", "Asia/Tokyo", "Pacific/Kiritimati", "America/Los_Angeles", "Etc/GMT+12"]).map(ZoneInfo)


@given(moments, zones, st.timedeltas())
def test_no_moment_is_beyond_the_calendar(moment: datetime, zone: ZoneInfo, by: timedelta) -> None:
    assert FIRST <= utc_of(moment) <= LAST
    assert in_zone(moment, zone).tzinfo is not None
    assert FIRST <= utc_of(shift(moment, by)) <= LAST
    assert iso(moment).endswith("Z")


@given(moments.map(utc_of), st.timedeltas(timedelta(), timedelta(days=400)))
def test_a_stored_moment_makes_nobody_wait_for_longer_than_it_was_meant_to(
    moment: datetime, spacing: timedelta
) -> None:
    due = bound_delay(moment, NOW, spacing)
    assert due <= NOW + spacing
    assert due == moment or moment > NOW + spacing


def test_what_has_happened_did_not_happen_later_than_now() -> None:
    assert not_after(NOW + timedelta(hours=1), NOW) == NOW
    assert not_after(NOW - timedelta(hours=1), NOW) == NOW - timedelta(hours=1)
