"""The time line draws whatever dates Entra holds: people make secrets that never end."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.kit.moments import FIRST, LAST, utc_of
from keyturn.pages.connections.timeline import Secret, draw

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ZONES = ("UTC", "Asia/Tokyo", "Pacific/Kiritimati", "America/Los_Angeles")
dates = st.datetimes(timezones=st.just(UTC)) | st.sampled_from([FIRST, LAST, NOW])
kinds = st.sampled_from(["current", "retiring", "pending", "foreign", "ended"])


def secret(kind: str, starts: datetime | None, ends: datetime | None, gone: datetime | None = None) -> Secret:
    return Secret("one", "id", "abc", "Current", kind, starts, ends, gone, 1)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", ["current", "retiring", "foreign", "ended"])
@pytest.mark.parametrize(
    "end", [datetime(2299, 12, 31, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), LAST]
)
def test_a_secret_that_never_ends(kind: str, end: datetime, zone: str) -> None:
    line = draw([secret(kind, NOW, end), secret("current", NOW, NOW + timedelta(days=17))], NOW, ZoneInfo(zone))
    assert len(line.bars) == 2
    assert all(bar.secret.title(ZoneInfo(zone)) for bar in line.bars)


@given(st.lists(st.builds(secret, kinds, dates, dates, st.none() | dates), max_size=4), dates, st.sampled_from(ZONES))
def test_any_dates(secrets: list[Secret], now: datetime, zone: str) -> None:
    line = draw(secrets, utc_of(now), ZoneInfo(zone))
    assert all(0 <= bar.x <= 100 for bar in line.bars)
    assert len(line.ticks) < 20


def test_a_secret_of_long_ago_leaves_room_for_the_current_one() -> None:
    original = secret("retiring", NOW - timedelta(days=700), NOW + timedelta(days=30))
    current = secret("current", NOW, NOW + timedelta(days=63))
    line = draw([original, current], NOW, ZoneInfo("UTC"))
    bar = next(each for each in line.bars if each.secret.kind == "current")
    assert bar.width > 25, "a third of the picture, not a stub at its edge"
