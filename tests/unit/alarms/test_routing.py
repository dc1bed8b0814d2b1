"""When the daily message of a channel is sent: once on each day of its place, whatever its clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Channel
from keyturn.alarms.routing import LONGEST_DAY, address_in, digest_at

START = datetime(2026, 3, 1, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 15, tzinfo=UTC)
STEP = timedelta(minutes=97)
DAY = timedelta(days=1)
LONGEST_OF_ALL = timedelta(hours=26)
"""Of the Troll station, whose clocks are set back by two hours."""


def channel(zone: str, hour: int) -> Channel:
    return Channel("c", "o", None, "ops", "webhook", {}, None, Severity.NOTICE, hour, zone, True, START, START)


@pytest.mark.parametrize("hour", [0, 2, 3, 8, 23])
@pytest.mark.parametrize("begins", [START, AUTUMN])
@pytest.mark.parametrize(
    "zone", ["Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia", "UTC"]
)
def test_a_daily_message_is_sent_once_a_day_at_its_hour(zone: str, begins: datetime, hour: int) -> None:
    daily, now, last = channel(zone, hour), begins, None
    sent: list[datetime] = []
    while now < begins + timedelta(days=35):
        at = digest_at(daily, now, last)
        assert now < at <= now + LONGEST_DAY
        now, last = at + STEP, at
        sent.append(at)
    days = [at.astimezone(ZoneInfo(zone)) for at in sent]
    assert len({day.date() for day in days}) == len(days)
    assert len(days) in {35, 36}
    assert [day.hour for day in days if day.hour != hour] in ([], [hour + 1]), "the hour that is left out in spring"


PLACES = ("Pacific/Kiritimati", "Pacific/Honolulu", "Antarctica/Troll", "Europe/Oslo", "America/New_York", "Etc/GMT+12")
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(PLACES), st.integers(0, 23), st.timedeltas(min_value=timedelta(minutes=1), max_value=DAY * 3)
    ),
    min_size=1,
    max_size=20,
)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC)), CHANGES)  # noqa: DTZ001
def test_wherever_a_channel_moves_a_daily_message_comes_once_a_day_and_within_the_longest_one(
    now: datetime, changes: list[tuple[str, int, timedelta]]
) -> None:
    """What is told waits for the message that waits already, else for a new one of the place and hour of that moment."""
    last: datetime | None = None
    waits: datetime | None = None
    for zone, hour, passes in changes:
        now += passes
        if waits is not None and waits <= now:
            last, waits = waits, None
        if waits is None:
            waits = digest_at(channel(zone, hour), now, last)
            assert now < waits <= now + LONGEST_OF_ALL
            if last is not None:
                assert waits.astimezone(ZoneInfo(zone)).date() > last.astimezone(ZoneInfo(zone)).date()
            if last is not None and now < last + LONGEST_DAY:
                assert waits <= last + LONGEST_OF_ALL


def test_a_channel_that_moves_west_comes_nearer_to_its_hour_every_day() -> None:
    daily, last = channel("America/New_York", 8), datetime(2026, 12, 1, 7, tzinfo=UTC)  # 8 o'clock in Oslo
    hours = []
    for _ in range(8):
        last = digest_at(daily, last + timedelta(minutes=1), last)
        hours.append(last.astimezone(ZoneInfo("America/New_York")).hour)
    assert hours == [3, 4, 5, 6, 7, 8, 8, 8]


def test_what_a_clock_that_was_wrong_has_sent_puts_nothing_off() -> None:
    daily, now = channel("UTC", 8), datetime(2026, 12, 1, 7, tzinfo=UTC)
    assert digest_at(daily, now, now + 365 * DAY) == datetime(2026, 12, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("contact", "address"),
    [
        ("payments@acme.test", "payments@acme.test"),
        ("Payments <payments@acme.test>", "payments@acme.test"),
        ("#payments", None),
        ("@payments", None),
        ("ask payments", None),
        ("", None),
        (None, None),
    ],
)
def test_a_contact_is_written_to_where_it_is_an_address(contact: str | None, address: str | None) -> None:
    assert address_in(contact) == address
