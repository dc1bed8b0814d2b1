"""Properties of references, whatever people write into values: every value comes out, bounded, and always the same."""

import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.errors import Refused
from keyturn.secrets import references
from keyturn.secrets.references import Target, Values, closes_circle, closure, expand_references, targets_of

NAMES = ("A", "B", "C", "D", "E")
pieces = st.one_of(
    st.sampled_from([f"${{{name}}}" for name in (*NAMES, "MISSING", "prod.A", "prod.f.B", "dev.C")]),
    st.text(alphabet="xy${}. é\n", max_size=5),
)
texts = st.lists(pieces, max_size=6).map("".join)
homes = st.sampled_from(
    [
        Target(environment, path, name)
        for environment, path in (("dev", "/"), ("prod", "/"), ("prod", "/f"))
        for name in NAMES
    ]
)
projects = st.dictionaries(homes, texts, max_size=15)


def at(name: str) -> Target:
    return Target("dev", "/", name)


def loader(project: Values) -> references.Load:
    return lambda targets: {target: project[target] for target in targets if target in project}


def plainly(home: Target, project: Values) -> str | None:
    """The value with its references replaced, by the plainest way; None when it leads into a circle."""

    def replaced(here: Target, above: tuple[Target, ...]) -> str | None:
        if here in above:
            return None
        text = project[here]
        for target in targets_of(text, here):
            if target in project:
                inner = replaced(target, (*above, here))
                if inner is None:
                    return None
        return references._REFERENCE.sub(
            lambda match: (
                replaced(references._target(match[1], here), (*above, here)) or ""
                if references._target(match[1], here) in project
                else match[0]
            ),
            text,
        )

    return replaced(home, ())


@given(projects)
def test_each_value_without_a_circle_is_what_plain_replacement_gives(project: Values) -> None:
    values = expand_references(project)
    assert values.keys() == project.keys()
    for home in project:
        expected = plainly(home, project)
        if expected is not None:
            assert values[home] == expected


@given(projects, st.data())
def test_a_value_is_the_same_whatever_is_asked_with_it(project: Values, data: st.DataObject) -> None:
    whole = expand_references(project)
    subset = data.draw(st.sets(st.sampled_from(sorted(project)))) if project else set()
    part = expand_references(closure({home: project[home] for home in subset}, loader(project)))
    assert {home: part[home] for home in subset} == {home: whole[home] for home in subset}


@given(projects)
def test_a_circle_is_found_just_where_a_value_leads_back_to_itself(project: Values) -> None:
    for home in project:
        steps = {home: set(targets_of(text, home)) & project.keys() for home, text in project.items()}
        reached: set[Target] = set()
        ahead = set(steps[home])
        while ahead:
            here = ahead.pop()
            if here not in reached:
                reached.add(here)
                ahead |= steps[here]
        assert closes_circle(home, project) == (home in reached)


@given(st.text(max_size=300), homes)
@settings(max_examples=300)
def test_text_without_references_is_left_alone(text: str, home: Target) -> None:
    assert expand_references({home: text})[home] == text or targets_of(text, home)


def test_a_reference_names_a_place() -> None:
    home = Target("dev", "/app", "X")
    assert list(targets_of("${A} ${prod.B} ${prod.f.g.C} ${A}", home)) == [
        Target("dev", "/app", "A"),
        Target("prod", "/", "B"),
        Target("prod", "/f/g", "C"),
    ]


def test_doubling_takes_bounded_memory_and_time() -> None:
    project = {at("L0"): "x" * 100} | {at(f"L{n}"): f"${{L{n - 1}}}" * 10 for n in range(1, 60)}
    began = time.monotonic()
    values = expand_references(project)
    assert time.monotonic() - began < 5
    assert max(map(len, values.values())) <= references.LONGEST
    assert sum(map(len, values.values())) < references.MOST_CHARACTERS + 60 * references.LONGEST


def test_too_much_altogether_is_refused() -> None:
    project = {at("BIG"): "x" * 900_000} | {at(f"U{n}"): "${BIG}" for n in range(100)}
    with pytest.raises(Refused) as caught:
        expand_references(project)
    assert caught.value.code == "secrets.references_too_large"
    assert "xxx" not in caught.value.diagnostics()


def test_large_values_without_references_are_no_trouble() -> None:
    project = {at(f"U{n}"): "x" * 900_000 for n in range(100)}
    assert expand_references(project) == project


def test_too_many_targets_are_refused() -> None:
    text = "".join(f"${{T{n}}}" for n in range(references.MOST_TARGETS + 1))
    with pytest.raises(Refused):
        closure({at("A"): text}, lambda _targets: {})


def test_each_level_is_one_look_and_depth_is_bounded() -> None:
    project = {at(f"L{n}"): f"${{L{n + 1}}}" for n in range(100)}
    looks: list[int] = []

    def load(targets: Iterable[Target]) -> Values:
        batch = list(targets)
        looks.append(len(batch))
        return loader(project)(batch)

    texts = closure({at("L0"): project[at("L0")]}, load)
    assert looks == [1] * references.MOST_LEVELS
    assert expand_references(texts)[at("L0")] == f"${{L{references.MOST_LEVELS + 1}}}"


@pytest.mark.parametrize(
    "text", ["${" * 250_000, "${a" * 170_000, "$" * 500_000, "${A}" * 125_000, "{" * 500_000, "${" + "a" * 500_000]
)
def test_hostile_text_takes_no_time(text: str) -> None:
    began = time.monotonic()
    expand_references(closure({at("X"): text}, lambda _targets: {}))
    assert time.monotonic() - began < 5


def test_a_long_chain_needs_no_stack() -> None:
    project = {at(f"L{n}"): f"${{L{n - 1}}}" if n else "end" for n in range(5000)}
    assert set(expand_references(project).values()) == {"end"}
    assert not closes_circle(at("L4999"), project)
