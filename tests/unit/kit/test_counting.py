"""Numbers of things agree with their words."""

from datetime import UTC, datetime, timedelta

import pytest

from keyturn.kit.counting import counted, distance_in_words, duration_in_words


def test_one_is_the_only_singular() -> None:
    assert [counted(number, "event") for number in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert [counted(number, "try waits", "tries wait") for number in (1, 2)] == ["1 try waits", "2 tries wait"]


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (timedelta(days=3 * 365), "3 years"),
        (timedelta(days=700), "700 days"),
        (timedelta(days=63), "63 days"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=2) - timedelta(seconds=1), "48 hours"),
        (timedelta(hours=28), "28 hours"),
        (timedelta(hours=1), "60 minutes"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(0), "0 minutes"),
    ],
)
def test_lengths_are_told_in_a_unit_of_which_there_are_some(length: timedelta, told: str) -> None:
    assert duration_in_words(length) == told


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        (timedelta(days=700), "in 700 days"),
        (timedelta(days=30) - timedelta(seconds=1), "in 30 days"),
        (timedelta(hours=47), "in 47 hours"),
        (timedelta(seconds=31), "in 1 minute"),
        (timedelta(seconds=30), "in a moment"),
        (timedelta(0), "just now"),
        (timedelta(days=-1), "24 hours ago"),
        (timedelta(days=-400), "400 days ago"),
    ],
)
def test_a_distance_is_as_far_as_it_says(ahead: timedelta, told: str) -> None:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    assert distance_in_words(now + ahead, now) == told
