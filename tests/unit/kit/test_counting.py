"""Numbers of things agree with their words."""

from datetime import timedelta

import pytest

from keyturn.kit.counting import counted, duration_in_words


def test_one_is_the_only_singular() -> None:
    assert [counted(number, "event") for number in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert [counted(number, "try waits", "tries wait") for number in (1, 2)] == ["1 try waits", "2 tries wait"]


@pytest.mark.parametrize(
    ("length", "told"),
    [
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
