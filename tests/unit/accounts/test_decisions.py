"""Lockout and lifetimes: pure arithmetic."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.authz.domain import (
    ORGANIZATION_ACTIONS,
    ORGANIZATION_ROLES,
    PROJECT_ACTIONS,
    PROJECT_ROLES,
    Action,
    at_most,
    least_role,
)
from keyturn.kit.actor import Role
from keyturn.lockout.domain import Attempts, LockoutPolicy, after_failure
from keyturn.tokens.domain import TokenRules, first_lifetime, renewed_lifetime

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("table", "actions"), [(ORGANIZATION_ROLES, ORGANIZATION_ACTIONS), (PROJECT_ROLES, PROJECT_ACTIONS)]
)
def test_each_role_may_all_that_the_next_may(table: dict[Role, frozenset[Action]], actions: frozenset[Action]) -> None:
    assert table[Role.ADMIN] == actions
    assert table[Role.ADMIN] >= table[Role.MEMBER] >= table[Role.VIEWER] >= table[Role.NO_ACCESS] == frozenset()
    for action in actions:
        assert action in table[least_role(table, action)]


def test_viewers_change_nothing() -> None:
    for table in (ORGANIZATION_ROLES, PROJECT_ROLES):
        assert all(action.value.startswith(("read-", "describe-")) for action in table[Role.VIEWER])


def test_nobody_hands_out_more_than_their_own_role() -> None:
    assert at_most(Role.MEMBER, Role.MEMBER)
    assert at_most(Role.ADMIN, Role.VIEWER)
    assert not at_most(Role.MEMBER, Role.ADMIN)
    assert not at_most(Role.VIEWER, Role.MEMBER)


def fail(times: int, spacing: timedelta, policy: LockoutPolicy) -> Attempts:
    attempts = Attempts()
    for number in range(times):
        attempts = after_failure(attempts, policy, NOW + number * spacing)
    return attempts


def test_the_third_failure_locks_for_the_duration() -> None:
    policy = LockoutPolicy()
    assert fail(2, SECOND, policy).locked_until is None
    locked = fail(3, SECOND, policy)
    end = NOW + 2 * SECOND + policy.duration
    assert locked.locked_until == end
    assert locked.locked(end - SECOND)
    assert not locked.locked(end)


def test_failures_further_apart_than_the_reset_never_lock() -> None:
    assert fail(50, timedelta(seconds=31), LockoutPolicy()).locked_until is None
    assert fail(3, timedelta(seconds=30), LockoutPolicy()).locked_until is not None


def test_failures_while_locked_do_not_prolong_the_lock() -> None:
    locked = fail(3, SECOND, LockoutPolicy())
    assert after_failure(locked, LockoutPolicy(), NOW + 60 * SECOND) == locked


def test_after_a_lock_the_count_begins_again() -> None:
    policy = LockoutPolicy()
    locked = fail(3, SECOND, policy)
    again = after_failure(locked, policy, NOW + timedelta(hours=1))
    assert (again.failures, again.locked_until) == (1, None)


def test_without_lockout_nothing_is_counted() -> None:
    assert fail(9, SECOND, LockoutPolicy(enabled=False)) == Attempts()


def test_zero_means_without_limit() -> None:
    assert first_lifetime(TokenRules(0, 0), NOW).expires_at is None
    assert first_lifetime(TokenRules(0, 60), NOW).expires_at == NOW + 60 * SECOND
    assert first_lifetime(TokenRules(60, 0), NOW).renewable_until is None


@given(ttl=st.integers(0, 10**8), longest=st.integers(0, 10**8), waits=st.lists(st.integers(0, 10**6), max_size=8))
def test_no_renewal_reaches_past_the_maximum(ttl: int, longest: int, waits: list[int]) -> None:
    lifetime = first_lifetime(TokenRules(ttl, longest), NOW)
    now = NOW
    for wait in waits:
        now += wait * SECOND
        if lifetime.expires_at and now >= lifetime.expires_at:
            return
        lifetime = renewed_lifetime(ttl, lifetime.renewable_until, now)
        if longest:
            assert lifetime.expires_at is not None
            assert lifetime.expires_at <= NOW + longest * SECOND
        if ttl:
            assert lifetime.ttl <= ttl
            assert lifetime.expires_at == now + lifetime.ttl * SECOND


def test_a_lock_that_a_wrong_clock_set_is_open_once_the_clock_is_right() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    policy = LockoutPolicy(enabled=True, threshold=1, duration=timedelta(minutes=5), reset=timedelta(minutes=1))
    assert after_failure(Attempts(), policy, now).locked(now)
    assert not after_failure(Attempts(), policy, now + timedelta(days=3652)).locked(now)
