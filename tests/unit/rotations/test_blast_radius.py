"""Scheduled runs of many applications: so many an hour, and none after several whose new secret did not sign in."""

from datetime import UTC, datetime, timedelta

from keyturn.rotations.blast_radius import HOUR, Recent, held_back

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def ago(minutes: int) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_nothing_is_held_back_below_the_limit() -> None:
    assert held_back(Recent([ago(5), ago(50)], [True, True, False]), 3, NOW) is None
    assert held_back(Recent([ago(5)] * 500, []), 0, NOW) is None


def test_the_next_one_begins_when_the_first_of_the_hour_is_an_hour_ago() -> None:
    held = held_back(Recent([ago(5), ago(50)], []), 2, NOW)
    assert held is not None
    assert held[0] == timedelta(minutes=10)
    held = held_back(Recent([NOW - HOUR], []), 1, NOW)
    assert held is not None
    assert held[0] == timedelta(minutes=1), "never again at once"


def test_failures_in_a_row_halt_all_until_somebody_has_rotated_one() -> None:
    held = held_back(Recent([], [True, True, True]), 100, NOW)
    assert held is not None
    assert (held[0], "did not sign in" in held[1]) == (HOUR, True)
    assert held_back(Recent([], [False, True, True]), 100, NOW) is None
    assert held_back(Recent([], [True, True]), 100, NOW) is None
