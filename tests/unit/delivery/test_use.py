"""Who counts as holding a credential, by what they showed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.delivery.use_domain import (
    BEFORE_RECORDING,
    NOTED_EVERY,
    OTHERS,
    Caller,
    Standing,
    Use,
    held_until,
    holders,
)

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HOUR, TEN = timedelta(hours=1), timedelta(minutes=10)
OLD, NEW = "old", "new"
POD = Caller("identity", "shop", "pod-1")


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def read(
    credential: str, minutes: float, refresh: timedelta | None = None, caller: Caller = POD, first: float = 0
) -> Use:
    return Use(credential, caller, ago(first or minutes), ago(minutes), None, refresh)


def said(credential: str, minutes: float, refresh: timedelta | None = None, first: float = 0) -> Use:
    return Use(credential, POD, ago(first or minutes), ago(minutes), ago(minutes), refresh)


H, S, X = Standing.HOLDS, Standing.SWITCHED, Standing.SILENT
EXPIRES = 2 * TEN + NOTED_EVERY
CASES = {
    "read it once, and never said when it comes": ([read(OLD, 60 * 24 * 300)], H, None),
    "read it, and comes every ten minutes": ([read(OLD, 5, TEN)], H, ago(5) + EXPIRES),
    "came every ten minutes, and stays away": ([read(OLD, 25, TEN)], X, ago(25) + EXPIRES),
    "read the newer one since": ([read(OLD, 60), read(NEW, 5)], S, None),
    "read the newer one, and has not come again": ([read(OLD, 15, TEN), read(NEW, 5, TEN)], H, ago(5) + TEN),
    "read the newer one twice": ([read(OLD, 35, TEN), read(NEW, 2, TEN, first=12)], S, None),
    "got both in one answer": ([read(OLD, 3), read(NEW, 3)], S, None),
    "read the older one by its number again": ([read(NEW, 9), read(OLD, 3, first=99)], H, None),
    "signs in with it, though it was given the newer one": (
        [said(OLD, 3, TEN), read(NEW, 3, TEN)],
        H,
        ago(3) + EXPIRES,
    ),
    "signs in with both": ([said(OLD, 3, TEN), said(NEW, 3, TEN)], H, ago(3) + EXPIRES),
    "signs in with the newer one": ([said(OLD, 13, TEN), said(NEW, 3, TEN)], S, None),
    "said so once, without when it comes": ([said(OLD, 60 * 24 * 30)], H, None),
    "went back to it": ([said(NEW, 13, TEN), said(OLD, 3, TEN, first=99)], H, ago(3) + EXPIRES),
    "acknowledges no more, and stays away": ([said(OLD, 99, TEN)], X, ago(99) + EXPIRES),
    "acknowledges no more, and reads the newer one": ([said(OLD, 99, TEN), read(NEW, 2, TEN, first=60)], S, None),
    "was dated by a clock that was wrong": ([read(OLD, -600, TEN)], H, None),
}


@pytest.mark.parametrize("case", CASES)
def test_who_holds(case: str) -> None:
    uses, standing, until = CASES[case]
    (holder,) = holders(uses, OLD, {NEW}, NOW)
    assert (holder.standing, holder.until) == (standing, until), case
    assert (holder.switched_at is not None) == (standing is S)


@pytest.mark.parametrize("instance", ["", OTHERS])
def test_who_may_be_several_programs_holds_whatever_one_of_them_reads(instance: str) -> None:
    several = replace(POD, instance=instance)
    uses = [read(OLD, 99, TEN, several), read(NEW, 1, TEN, several, first=50)]
    assert holders(uses, OLD, {NEW}, NOW)[0].standing is Standing.HOLDS
    assert held_until(uses, OLD, {NEW}, NOW) is None


def test_it_is_held_as_long_as_by_the_last_one() -> None:
    other = Caller("identity", "shop", "pod-2")
    uses = [read(OLD, 5, TEN), read(OLD, 2, TEN, other), read(OLD, 9, None, Caller("identity", "job", "x"))]
    assert held_until(uses[:2], OLD, {NEW}, NOW) == ago(2) + EXPIRES
    assert held_until(uses, OLD, {NEW}, NOW) is None, "the job said nothing"
    assert held_until([*uses[:2], read(NEW, 1, None, other)], OLD, {NEW}, NOW) == ago(5) + EXPIRES


def test_what_nobody_is_known_to_have_read_is_held() -> None:
    assert held_until([read(NEW, 3)], OLD, {NEW}, NOW) is None
    assert held_until([read(OLD, 3, None, Caller(BEFORE_RECORDING, ""))], OLD, {NEW}, NOW) is None


def test_somebody_new_who_has_only_the_newer_one_holds_nothing_of_the_older() -> None:
    uses = [read(OLD, 60), read(NEW, 5), read(NEW, 1, None, Caller("identity", "other", "x"))]
    assert held_until(uses, OLD, {NEW}, NOW) == NOW


uses_of_one = st.builds(
    Use,
    st.sampled_from([OLD, NEW, "older"]),
    st.builds(Caller, st.just("identity"), st.sampled_from("ab"), st.sampled_from(["", "1", "2", OTHERS])),
    st.integers(0, 10_000).map(ago),
    st.none() | st.integers(-50, 5000).map(ago),
    st.none() | st.integers(-50, 5000).map(ago),
    st.none() | st.integers(1, 5000).map(lambda seconds: timedelta(seconds=seconds)),
)


@given(uses=st.lists(uses_of_one, max_size=8, unique_by=lambda use: (use.credential_id, use.caller)))
def test_nobody_is_let_down(uses: list[Use]) -> None:
    """Whoever had it counts as holding it, unless it showed a newer one or said how often it comes and stayed away."""
    now_or_later = held_until(uses, OLD, {NEW}, NOW)
    for holder in holders(uses, OLD, {NEW}, NOW):
        others = [use for use in uses if use.caller == holder.use.caller and use.credential_id != OLD]
        if holder.standing is Standing.SWITCHED:
            assert holder.use.caller.is_one
            assert others
        elif holder.standing is Standing.SILENT:
            refresh = [use.refresh for use in (holder.use, *others) if use.refresh]
            assert holder.use.caller.is_one
            assert NOW - holder.use.last_at >= 2 * min(refresh)
        elif holder.until is not None:
            assert holder.until > NOW
        if holder.holds:
            assert now_or_later is None or (holder.until is not None and holder.until <= now_or_later)
    assert now_or_later is None or now_or_later >= NOW
