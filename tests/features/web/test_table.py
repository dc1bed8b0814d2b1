"""The table of routes finds what a plain reading of its rules finds, however hostile the path."""

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.web.table import NoRoute, Table, WrongMethod, normal

METHODS = ("GET", "POST")
SEGMENTS = ("a", "b", "{}")
Routes = list[tuple[str, str]]


def path_of(segments: list[str], rest: bool) -> str:
    named = [f"{{at{index}}}" if segment == "{}" else segment for index, segment in enumerate(segments)]
    return "/" + "/".join([*named, "{rest:path}"] if rest else named)


paths = st.builds(path_of, st.lists(st.sampled_from(SEGMENTS), max_size=3), st.booleans())
routes = st.lists(st.tuples(st.sampled_from(METHODS), paths), max_size=12)
paths_asked = st.lists(st.sampled_from(["a", "b", "c", "", "{}", "%2f", "\x00é"]), max_size=4).map("/".join)


def table_of(given_routes: Routes) -> tuple[Table[str], Routes]:
    """Return a table of the routes that it takes, and these."""
    table: Table[str] = Table()
    routes_of_table = []
    for method, path in given_routes:
        try:
            table.add(method, path, f"{method} {path}")
        except ValueError:
            continue
        routes_of_table.append((method, path))
    return table, routes_of_table


def read_plainly(routes_of_table: Routes, method: str, path: str) -> tuple[str, list[str]] | set[str] | None:
    """Return the route with its values, the methods of the path, or None: by narrowing the routes segment by segment."""
    segments = [segment for segment in path.split("/") if segment]
    places = {(each, route): [part for part in route.split("/") if part] for each, route in routes_of_table}
    plain = {key: parts for key, parts in places.items() if parts == segments and not any("{" in p for p in parts)}
    candidates = plain or {key: parts for key, parts in places.items() if any("{" in part for part in parts)}
    values: list[str] = []
    if not plain:
        for index, segment in enumerate(segments):
            at_place = {key: parts for key, parts in candidates.items() if len(parts) > index}
            fixed = {k: p for k, p in at_place.items() if p[index] == segment and "{" not in segment}
            candidates = fixed or {k: p for k, p in at_place.items() if "{" in p[index]}
            if any(parts[index] == "{rest:path}" for parts in candidates.values()):
                values.append("/" + "/".join(segments[index:]))
                candidates = {key: parts for key, parts in candidates.items() if len(parts) == index + 1}
                break
            if not fixed:
                values.append(segment)
        else:
            candidates = {key: parts for key, parts in candidates.items() if len(parts) == len(segments)}
    if not candidates:
        return None
    for each, route in candidates:
        if each == method:
            return f"{method} {route}", values
    return {each for each, _ in candidates}


def looked_up(table: Table[str], method: str, path: str) -> tuple[str, list[str]] | set[str] | None:
    """Return the same of the table."""
    try:
        endpoint, values = table.find(method, normal(path))
    except NoRoute:
        return None
    except WrongMethod as wrong:
        return set(wrong.methods)
    return endpoint, list(values.values())


@settings(max_examples=300)
@given(routes, st.sampled_from(METHODS), st.lists(paths_asked, min_size=1, max_size=10))
def test_the_table_finds_what_its_rules_say(given_routes: Routes, method: str, paths: list[str]) -> None:
    table, routes_of_table = table_of(given_routes)
    for path in paths:
        assert looked_up(table, method, path) == read_plainly(routes_of_table, method, path)


def test_a_fixed_segment_wins_over_a_parameter_also_half_way() -> None:
    table: Table[int] = Table()
    for number, path in enumerate(("/raw/{name}", "/raw/id/{x}", "/raw/plain", "/files/{rest:path}")):
        table.add("GET", path, number)
    assert table.find("GET", "/raw/a b") == (0, {"name": "a b"})
    assert table.find("GET", "/raw/id/1") == (1, {"x": "1"})
    assert table.find("GET", "/raw/plain") == (2, {})
    assert table.find("GET", "/files/a/../b") == (3, {"rest": "/a/../b"})
    for path in ("/raw/id", "/raw", "/files", "/", "/raw/plain/1"):
        with pytest.raises(NoRoute):
            table.find("GET", path)
    with pytest.raises(WrongMethod) as wrong:
        table.find("POST", "/raw/plain")
    assert wrong.value.methods == ("GET",)


@pytest.mark.parametrize("path", ["/a/{x}", "/a/{y}", "/a/{rest:path}", "/b/x{name}", "/b/{rest:path}/c"])
def test_a_route_that_could_not_be_told_apart_is_refused(path: str) -> None:
    table: Table[int] = Table()
    table.add("GET", "/a/{x}", 1)
    with pytest.raises(ValueError, match="a"):
        table.add("GET", path, 2)


def test_a_path_of_very_many_segments_is_looked_up_at_once() -> None:
    table: Table[int] = Table()
    for depth in range(1, 20):
        table.add("GET", "/a" * depth + "/{x}", depth)
        table.add("GET", "/{y}" * depth, depth)
    began = time.process_time()
    for path in ("/a" * 50_000, "/" * 100_000 + "a", "/b" * 50_000):
        with contextlib.suppress(NoRoute):
            table.find("GET", normal(path))
    assert time.process_time() - began < 1
