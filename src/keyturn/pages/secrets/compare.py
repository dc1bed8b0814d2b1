"""Two environments side by side: what one of them lacks, and which values differ."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.secrets.places import OF_PROJECT, PageOfSecrets, PlaceQuery, SecretPages
from keyturn.secrets.comparison import ComparedSecret, Comparison, Difference
from keyturn.secrets.domain import Address
from keyturn.web.pages import PageRoute, get
from keyturn.web.schema.validate import Trimmed

ON_A_PAGE = 100


class CompareQuery(PlaceQuery, rename=None):
    other: Annotated[Trimmed, Meta(max_length=64)] = ""
    all: bool = False
    page: Annotated[int, Meta(ge=1, le=1000)] = 1


@dataclass(frozen=True)
class ComparePage(PageOfSecrets):
    """``refusal`` is why they cannot be compared, such as a missing right."""

    template: ClassVar[str] = "secrets/compare.html"

    query: CompareQuery
    comparison: Comparison | None = None
    refusal: KeyturnError | None = None

    @property
    def rows(self) -> Sequence[ComparedSecret]:
        """Those that are asked for, of all pages."""
        every = self.comparison.secrets if self.comparison else ()
        return [row for row in every if self.query.all or row.difference is not Difference.SAME]

    @property
    def first(self) -> int:
        return (self.query.page - 1) * ON_A_PAGE + 1

    @property
    def shown(self) -> Sequence[ComparedSecret]:
        return self.rows[self.first - 1 : self.first - 1 + ON_A_PAGE]

    def at(self, number: int) -> str:
        """Return the address of a page of the comparison."""
        asked = {"other": self.query.other, "all": "true" if self.query.all else ""}
        return self.place.url("compare", **asked, page=number if number > 1 else "")


def routes(pages: SecretPages) -> list[PageRoute]:
    @get(f"{OF_PROJECT}/compare")
    def compare(actor: Actor, project_id: str, query: CompareQuery) -> ComparePage:
        place = pages.place(actor, project_id, query)
        others = [each.slug for each in place.environments if place.environment and each.id != place.environment.id]
        if query.other not in others:
            return ComparePage(place, query)
        other = Address(project_id, None, query.other, place.path)
        try:
            return ComparePage(place, query, pages.comparisons.compare(actor, place.address, other))
        except KeyturnError as error:
            return ComparePage(place, query, refusal=error)

    return [compare]
