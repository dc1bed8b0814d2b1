"""Patterns of paths: what they fit, what is refused, and that no pattern takes long."""

import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.authz.globs import apart, matches, narrower, require_glob
from keyturn.errors import Refused


@pytest.mark.parametrize(
    ("glob", "inside", "outside"),
    [
        ("/", ["/", "//"], ["/app"]),
        ("/app", ["/app", "/app/", "//app"], ["/", "/app/db", "/App", "/apps", "/ap"]),
        ("/app/*", ["/app/db", "/app/x/"], ["/app", "/app/db/inner", "/other/db"]),
        ("/app/**", ["/app", "/app/db", "/app/db/inner"], ["/", "/apps", "/apps/db", "/other/app"]),
        ("/**", ["/", "/app", "/app/db"], []),
        ("/**/db", ["/db", "/app/db", "/a/b/c/db"], ["/", "/app", "/db/inner", "/app/dbx"]),
        ("/team-?/db*", ["/team-1/db", "/team-x/db-old"], ["/team-/db", "/team-12/db", "/team-1/xdb"]),
        ("/a/**/b/**/c", ["/a/b/c", "/a/x/b/c", "/a/b/b/x/c", "/a/c/b/c/c"], ["/a/c/b", "/a/b", "/b/c"]),
        ("/*a*b*", ["/ab", "/xaxbx", "/aabb"], ["/ba", "/a/b"]),
        ("dev*", ["dev", "dev-2"], ["predev", "DEV"]),
    ],
)
def test_what_a_pattern_fits(glob: str, inside: list[str], outside: list[str]) -> None:
    require_glob(glob)
    assert [path for path in inside if not matches(glob, path)] == []
    assert [path for path in outside if matches(glob, path)] == []


@pytest.mark.parametrize("path", ["/app/../other", "/app/./db", "/app/..", ".."])
def test_a_step_upwards_fits_nothing(path: str) -> None:
    assert not matches("/app/**", path)
    assert not matches("/**", path)


@pytest.mark.parametrize("glob", ["/a[bc]", "/{a,b}", "/!(a)", "/a\\*", "/app**", "/***", "/" + 300 * "a", 40 * "/*"])
def test_what_is_no_pattern_is_refused_with_a_way_out(glob: str) -> None:
    with pytest.raises(Refused) as caught:
        require_glob(glob)
    assert caught.value.fix


@cache
def fits(pattern: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """The meaning of patterns, said in the plainest way."""
    if not pattern:
        return not names
    if pattern[0] == "**":
        return fits(pattern[1:], names) or (bool(names) and fits(pattern, names[1:]))
    return bool(names) and name_fits(pattern[0], names[0]) and fits(pattern[1:], names[1:])


@cache
def name_fits(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return name_fits(pattern[1:], name) or (bool(name) and name_fits(pattern, name[1:]))
    return bool(name) and pattern[0] in {"?", name[0]} and name_fits(pattern[1:], name[1:])


NAMES = st.lists(st.text("ab", min_size=1, max_size=4), max_size=6).map(tuple)
PATTERNS = st.lists(
    st.one_of(st.just("**"), st.text("ab*?", min_size=1, max_size=5).filter(lambda name: "**" not in name)), max_size=5
).map(tuple)


@given(PATTERNS, NAMES)
def test_patterns_mean_what_their_words_say(pattern: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert matches("/" + "/".join(pattern), "/" + "/".join(names)) == fits(pattern, names)


@given(PATTERNS, PATTERNS, NAMES)
def test_what_is_said_of_two_patterns_is_true_of_every_path(
    first: tuple[str, ...], second: tuple[str, ...], names: tuple[str, ...]
) -> None:
    one, other = "/" + "/".join(first), "/" + "/".join(second)
    if narrower(one, other) and fits(first, names):
        assert fits(second, names)
    if apart(one, other):
        assert not (fits(first, names) and fits(second, names))


def test_no_pattern_takes_long() -> None:
    deep = "/" + "/".join(20 * ["a" * 64])
    hostile = [
        "/" + 12 * "a*" + "b",
        "/" + 12 * "*a" + "*b",
        "/" + "/".join(6 * ["**", "a*"]) + "/b",
        "/" + 12 * "**/" + "b",
        "/**/" + 10 * "*a" + "b/**",
        "/" + "/".join(6 * ["**", "?" * 30]),
    ]
    for glob in hostile:
        require_glob(glob)
        matches(glob, deep)
        started = time.process_time()
        for _ in range(100):
            assert not matches(glob, deep)
        assert time.process_time() - started < 0.5, glob
