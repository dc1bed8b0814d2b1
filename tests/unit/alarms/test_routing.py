"""When the daily message of a channel is sent: once on each day of its place, whatever its clocks do."""

from datetime import UTC, datetime, timedelta

import pytest

from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Channel
from keyturn.alarms.routing import address_in, digest_at

START = datetime(2026, 3, 1, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 15, tzinfo=UTC)
STEP = timedelta(minutes=97)
LONGEST = timedelta(hours=25)


def channel(zone: str, hour: int) -> Channel:
    return Channel("c", "o", None, "ops", "webhook", {}, None, Severity.NOTICE, hour, zone, True, START, START)


@pytest.mark.parametrize("hour", [0, 2, 3, 8, 23])
@pytest.mark.parametrize("begins", [START, AUTUMN])
@pytest.mark.parametrize(
    "zone", ["Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia", "UTC"]
)
def test_a_daily_message_is_sent_once_a_day(zone: str, begins: datetime, hour: int) -> None:
    daily, now = channel(zone, hour), begins
    sent: dict[str, datetime] = {}
    while now < begins + timedelta(days=35):
        day, at = digest_at(daily, now)
        assert now < at <= now + LONGEST
        assert sent.setdefault(day, at) == at, "the same day is the same message"
        now += STEP
    days = sorted(sent)
    assert sorted(sent.values()) == [sent[day] for day in days]
    assert 35 <= len(days) <= 37


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
