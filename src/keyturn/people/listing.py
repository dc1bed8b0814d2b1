"""Which people of an organization a list shows. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from keyturn.kit.actor import Role
from keyturn.people.administration import PersonState

KINDS: Mapping[str, Callable[[PersonState], bool]] = {
    "admin": lambda person: person.user.role is Role.ADMIN,
    "invited": lambda person: person.word == "invited",
    "locked": lambda person: person.word == "locked",
    "disabled": lambda person: person.word == "disabled",
    "one-step": lambda person: not person.has_second_factor and person.word in {"active", "locked"},
}
"""What a list can be limited to."""


@dataclass(frozen=True)
class PeopleMatches:
    """``people`` are those of one page, of ``total`` that match, of ``all`` that are there."""

    people: Sequence[PersonState]
    total: int
    all: int
    page: int
    pages: int


def matching(people: Sequence[PersonState], text: str, kind: str | None, page: int, size: int) -> PeopleMatches:
    """Return the people of a page; all words of the text have to be in address or name. A page past the end is the last."""
    words = text.casefold().split()
    of_kind = [each for each in people if KINDS[kind](each)] if kind else people
    found = [each for each in of_kind if all(word in _text(each) for word in words)]
    pages = max(1, -(-len(found) // size))
    page = min(page, pages)
    return PeopleMatches(found[(page - 1) * size : page * size], len(found), len(people), page, pages)


def _text(person: PersonState) -> str:
    user = person.user
    return f"{user.email} {user.first_name} {user.last_name}".casefold()
