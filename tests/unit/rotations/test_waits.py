"""How long a promise to the readers of a replaced secret is kept, whatever clock noted it."""

from datetime import UTC, datetime, timedelta

import pytest

from keyturn.rotations.waits import LONGEST_PROMISE, kept_until, promise_end

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
WEEK = 7 * DAY


@pytest.mark.parametrize("ago", [DAY, timedelta(0), -3 * MINUTE])
def test_a_promise_is_kept_until_its_end(ago: timedelta) -> None:
    end = NOW - ago + WEEK
    assert promise_end(end, NOW - ago, NOW) == kept_until(end, NOW - ago, NOW) == end


@pytest.mark.parametrize("ahead", [6 * MINUTE, 60 * DAY, 3652 * DAY])
def test_a_promise_of_the_future_is_looked_at_now_and_kept_for_its_own_length(ahead: timedelta) -> None:
    promised_at, end = NOW + ahead, NOW + ahead + WEEK
    assert promise_end(end, promised_at, NOW) <= NOW
    assert kept_until(end, promised_at, NOW) == NOW + WEEK


@pytest.mark.parametrize("end", [NOW - DAY, NOW + 4 * MINUTE, NOW + 3652 * DAY])
def test_where_nothing_was_promised_nobody_waits(end: datetime) -> None:
    assert promise_end(end, end, NOW) <= NOW


def test_longer_than_any_promise_is_none() -> None:
    assert kept_until(NOW + LONGEST_PROMISE + 2 * DAY, NOW - DAY, NOW) <= NOW
