"""How far two clocks are apart, by the Date of an answer that took some time."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from keyturn.kit.clock import MovableClock
from keyturn.kit.clock_difference import describe_difference, difference, read_date
from keyturn.ports.http import HttpRequest, HttpResponse
from keyturn.providers.dated import DatedTransport

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SPANS = st.floats(-1e7, 1e7).map(lambda seconds: timedelta(seconds=seconds))


@given(SPANS, st.floats(0, 30), st.floats(0, 1))
def test_the_round_trip_is_never_taken_for_a_difference(ahead: timedelta, took: float, when: float) -> None:
    sent_at, answered = NOW + ahead, NOW + ahead + timedelta(seconds=took)
    dated = format_datetime((NOW + timedelta(seconds=took * when)).replace(microsecond=0), usegmt=True)
    ahead_by = difference(sent_at, answered, dated)
    assert ahead_by is not None
    assert abs(ahead_by) <= abs(ahead)
    assert abs(ahead_by - ahead) <= timedelta(seconds=took + 1.01)


@given(st.none() | st.text(max_size=60) | st.text("MonFriDec 0123456789:+-GMT,", max_size=40))
def test_any_header_can_be_read(text: str | None) -> None:
    moment = read_date(text)
    assert moment is None or moment.tzinfo is UTC


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026", "\x00", "Fri, 31 Dec 9999 23:59:59 -1400", None])
def test_a_date_that_makes_no_sense_says_nothing(date: str | None) -> None:
    assert difference(NOW, NOW, date) is None


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(minutes=6), "6 minutes ahead of"),
        (-timedelta(hours=3), "3 hours behind"),
        (timedelta(days=3652), "10 years ahead of"),
    ],
)
def test_what_is_told(ahead: timedelta, words: str) -> None:
    assert describe_difference(ahead) == f"{words} that of the provider"


class There:
    """An Entra whose clock may be elsewhere."""

    def __init__(self) -> None:
        self.now = NOW
        self.more: dict[str, str] = {}

    def send(self, _request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {"date": format_datetime(self.now, usegmt=True)} | self.more, b"")


def test_a_change_is_logged_once() -> None:
    there, ours = There(), MovableClock(NOW)
    dated = DatedTransport(there, ours)
    events: list[Any] = []

    def ask(minutes: float, **more: str) -> None:
        there.now, there.more = NOW - timedelta(minutes=minutes), more
        with structlog.testing.capture_logs() as lines:
            dated.send(HttpRequest("GET", "https://entra.test"))
        events.extend(line["event"] + line.get("level", "") for line in lines)

    assert dated.ahead() is None
    for minutes in (0, 1, 3, 3, 6, 7, -6, -1):
        ask(minutes)
    assert events == ["clock.differsdoubtful", "clock.differswrong", "clock.right_again"]
    assert dated.ahead() == timedelta(minutes=-1)
    ask(60, age="3600")
    assert dated.ahead() == timedelta(minutes=-1), "the copy of a cache says nothing"
