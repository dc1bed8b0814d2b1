"""The brake on logins."""

from datetime import UTC, datetime
from typing import Any

import pytest

from keyturn.kit.clock import MovableClock
from keyturn.web.ratelimit import Limiter, RateLimited
from tests.features.web.things import client

START = datetime(2026, 3, 4, tzinfo=UTC)


def allowed(limiter: Limiter, key: str) -> bool:
    try:
        limiter.take(key)
    except RateLimited:
        return False
    return True


def test_a_burst_is_allowed_then_a_steady_pace() -> None:
    clock = MovableClock(START)
    limiter = Limiter(clock, per_minute=6)
    assert [allowed(limiter, "a") for _ in range(8)] == [True] * 6 + [False] * 2
    clock.advance(10)
    assert [allowed(limiter, "a") for _ in range(2)] == [True, False]
    clock.advance(3600)
    assert [allowed(limiter, "a") for _ in range(7)] == [True] * 6 + [False]


def test_keys_do_not_disturb_each_other() -> None:
    limiter = Limiter(MovableClock(START), per_minute=1)
    assert [allowed(limiter, key) for key in ("a", "b", "a", "b")] == [True, True, False, False]


def test_the_wait_it_names_is_long_enough() -> None:
    clock = MovableClock(START)
    limiter = Limiter(clock, per_minute=7)
    for _ in range(7):
        limiter.take("a")
    with pytest.raises(RateLimited) as caught:
        limiter.take("a")
    clock.advance(caught.value.retry_after.total_seconds())
    assert allowed(limiter, "a")


def test_memory_is_bounded_and_the_oldest_key_is_forgotten() -> None:
    limiter = Limiter(MovableClock(START), per_minute=1, keys=100)
    for number in range(1000):
        limiter.take(str(number))
    assert allowed(limiter, "0")
    assert not allowed(limiter, "999")


def test_over_http_it_says_how_long_to_wait() -> None:
    web: Any = client(limiter=Limiter(MovableClock(START), per_minute=2))
    assert [web.post("/api/v1/login", json={"name": "a"}).status_code for _ in range(3)] == [200, 200, 429]
    answer = web.post("/api/v1/login", json={"name": "a"})
    assert answer.json()["error"] == "RateLimitExceeded"
    assert "30 seconds" in answer.json()["message"]
    assert answer.headers["retry-after"] == "30"
    assert answer.headers["x-ratelimit-limit"] == "2"
