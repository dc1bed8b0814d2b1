"""A run that comes earlier than the schedule says, since the current secret would not live that long."""

from datetime import UTC, datetime, timedelta

import pytest

from keyturn.credentials.domain import Credential, State
from keyturn.rotations.domain import Reason
from keyturn.rotations.run_schedule import guard, next_run
from keyturn.rotations.schedule import Anchor, Schedule

PUBLISHED = datetime(2026, 11, 29, 2, 15, 8, tzinfo=UTC)


def current(days: float) -> Credential:
    end = PUBLISHED + timedelta(days=days)
    return Credential(
        "id", "rotation", "org", "object", 1, State.CURRENT, "keyturn name g1 abc", starts_at=PUBLISHED, ends_at=end
    )


def test_a_longer_interval_keeps_the_time_of_day() -> None:
    schedule = Schedule(90, 2, 15, "Europe/Oslo")
    due = next_run(schedule, Anchor(PUBLISHED, scheduled=True), current(63))
    assert due.reason is Reason.EXPIRY
    assert due.at == datetime(2027, 1, 24, 1, 15, tzinfo=UTC), (
        "02:15 in Oslo, before the tenth of its life that is kept"
    )
    assert due.at <= guard(PUBLISHED, PUBLISHED + timedelta(days=63))


@pytest.mark.parametrize("days", [1.2, 2, 2.5, 3])
def test_a_secret_that_lives_for_days_is_not_replaced_at_once(days: float) -> None:
    due = next_run(Schedule(30, 2, 14, "UTC"), Anchor(PUBLISHED, scheduled=True), current(days))
    limit = guard(PUBLISHED, PUBLISHED + timedelta(days=days))
    assert PUBLISHED + (limit - PUBLISHED) / 2 <= due.at <= limit
