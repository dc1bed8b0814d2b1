"""A page of the list of connections: what is found, in which order, and which page is shown."""

import pytest

from keyturn.connections.domain import NewConnection
from keyturn.connections.search import SORTS, ConnectionMatches, ConnectionQuery, ConnectionSearch
from keyturn_simulation.world import World

NAMES = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot")
DESCRIBED = {"charlie": "of the 100% team", "delta": "delta_one", "echo": "Écho of ALPHABET"}


@pytest.fixture
def catalog(world: World) -> ConnectionSearch:
    for name in NAMES:
        world.rotations.create(
            world.actor, NewConnection(name, world.first_secret(), description=DESCRIBED.get(name)), None
        )
    return world.services.search


def look(
    world: World, catalog: ConnectionSearch, text: str = "", *, page: int = 1, size: int = 20, **how: object
) -> ConnectionMatches:
    return catalog.page(world.actor, None, ConnectionQuery(text, page=page, size=size, **how))  # type: ignore[arg-type]


def names(matches: ConnectionMatches) -> list[str]:
    return [connection.name for connection in matches.connections]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALPHA", ["alpha", "echo"]),
        ("Bravo", ["bravo"]),
        ("100%", ["charlie"]),
        ("%", ["charlie"]),
        ("_", ["delta"]),
        ("TEAM char", ["charlie"]),
        ("Écho", ["echo"]),
        ("éCHO", ["echo"]),
        ("Client-Secret Bravo", ["bravo"]),
        ("secret fox", ["foxtrot"]),
        ("azure FOX", ["foxtrot"]),
        ("oauth", []),
        ("alpha bravo", []),
        ("\\", []),
        ("'", []),
    ],
)
def test_all_words_are_found_wherever_they_are_written(
    world: World, catalog: ConnectionSearch, text: str, expected: list[str]
) -> None:
    result = look(world, catalog, text)
    assert names(result) == expected
    assert (result.total, result.all, result.page, result.pages) == (len(expected), len(NAMES), 1, 1)


def test_pages_follow_one_another_and_end(world: World, catalog: ConnectionSearch) -> None:
    pages = [look(world, catalog, page=number, size=4) for number in (1, 2)]
    assert [len(page.connections) for page in pages] == [4, 2]
    assert sorted(names(pages[0]) + names(pages[1])) == sorted(NAMES)
    assert [(page.total, page.all, page.pages) for page in pages] == [(6, 6, 2)] * 2


@pytest.mark.parametrize(("text", "last"), [("", 3), ("client", 3), ("nothing like it", 1)])
def test_a_page_beyond_the_last_is_the_last(world: World, catalog: ConnectionSearch, text: str, last: int) -> None:
    result = look(world, catalog, text, page=900, size=2)
    assert (result.page, result.pages) == (last, last)
    assert names(result) == names(look(world, catalog, text, page=last, size=2))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", SORTS)
def test_every_order_shows_each_connection_once(
    world: World, catalog: ConnectionSearch, sort: str, descending: bool
) -> None:
    all_names = [
        name
        for number in (1, 2, 3)
        for name in names(look(world, catalog, page=number, size=2, sort=sort, descending=descending, everywhere=True))
    ]
    assert sorted(all_names) == sorted(NAMES)
