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


def test_memory_is_bounded_and_strangers_clear_no_counter() -> None:
    clock = MovableClock(START)
    limiter = Limiter(clock, per_minute=1, keys=100, together=10_000)
    for number in range(1000):
        allowed(limiter, f"10.0.{number // 250}.{number % 250} login")
    assert len(limiter._buckets) <= 101
    assert not allowed(limiter, "10.0.0.0 login"), "the first address is still counted"
    assert not allowed(limiter, "192.0.2.1 login"), "who is new shares what is left for others"
    clock.advance(61)
    assert allowed(limiter, "192.0.2.1 login"), "counters that say nothing any more made room"


def test_an_ipv6_network_counts_as_one_address() -> None:
    limiter = Limiter(MovableClock(START), per_minute=60)
    tries = [allowed(limiter, f"2001:db8:0:1::{number:x} login") for number in range(5000)]
    assert tries.count(True) == 60
    assert allowed(limiter, "2001:db8:0:2::1 login")
    assert [allowed(limiter, f"::ffff:192.0.2.{number} login") for number in (1, 2)] == [True, True]


def test_all_addresses_together_have_a_limit_that_does_not_bind_who_was_let_in_before() -> None:
    limiter = Limiter(MovableClock(START), per_minute=5, together=50)
    limiter.trust("192.0.2.1 login")
    tries = [allowed(limiter, f"10.0.{number // 250}.{number % 250} login") for number in range(500)]
    assert tries.count(True) == 50
    assert allowed(limiter, "192.0.2.1 login")
    assert not allowed(limiter, "192.0.2.2 login")
    assert [allowed(limiter, "192.0.2.1 login") for _ in range(5)] == [True] * 4 + [False], "its own limit holds"


def test_over_http_it_says_how_long_to_wait() -> None:
    web: Any = client(limiter=Limiter(MovableClock(START), per_minute=2))
    assert [web.post("/api/v1/login", json={"name": "a"}).status_code for _ in range(3)] == [200, 200, 429]
    answer = web.post("/api/v1/login", json={"name": "a"})
    assert answer.json()["error"] == "RateLimitExceeded"
    assert "30 seconds" in answer.json()["message"]
    assert answer.headers["retry-after"] == "30"
    assert answer.headers["x-ratelimit-limit"] == "2"
