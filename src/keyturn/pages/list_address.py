"""The address of a list that is searched, filtered, sorted and paged on the server: everything that was chosen is in it."""

from collections.abc import Mapping
from urllib.parse import urlencode

from keyturn.kit.dataclasses import dataclass
from keyturn.web.schema.wire import ApiModel


@dataclass(frozen=True)
class Column:
    """``href`` sorts by it; empty for one that nothing is sorted by. ``sorted`` is as ``aria-sort`` says it."""

    key: str
    label: str
    href: str
    sorted: str


@dataclass(frozen=True)
class Pager:
    """``first`` to ``last`` of ``total`` are shown. ``end`` is the last page, where it is not this one or the next."""

    first: int
    last: int
    total: int
    earlier: str | None
    later: str | None
    end: str | None


@dataclass(frozen=True)
class ListAddress:
    """``query`` is what was chosen, with ``sort``, ``order``, ``page`` and ``status``; ``plain`` what is so without a choice."""

    path: str
    query: ApiModel
    plain: ApiModel

    def at(self, **changes: object) -> str:
        """Return the list with these changes. What is as usual is left out; a change begins at page one."""
        usual = _values(self.plain)
        first = {"page": 1} if "page" in usual else {}
        values = _values(self.query) | first | changes
        chosen = {name: value for name, value in values.items() if value != usual[name]}
        return f"{self.path}?{urlencode(chosen)}" if chosen else self.path

    def chips(self, labels: Mapping[str, str]) -> list[tuple[str, str, bool]]:
        """Return label, address and whether it is on, for each status. A chip that is on leads to the list without it."""
        chosen = _values(self.query)["status"]
        return [
            (label, self.at(status=None if status == chosen else status), status == chosen)
            for status, label in labels.items()
        ]

    def column(self, key: str, label: str) -> Column:
        if not key:
            return Column("", label, "", "")
        query = _values(self.query)
        is_sorted, ascending = query["sort"] == key, query["order"] == "asc"
        direction = ("ascending" if ascending else "descending") if is_sorted else ""
        return Column(key, label, self.at(sort=key, order="desc" if is_sorted and ascending else "asc"), direction)

    def pager(self, page: int, pages: int, size: int, shown: int, total: int, name: str = "page") -> Pager:
        """``name`` is that of the page's number, where an address has one for each of several lists.

        A page beyond the last one is the last one.
        """
        page = min(page, max(1, pages))
        first = (page - 1) * size
        return Pager(
            first + 1,
            first + shown,
            total,
            self.at(**{name: page - 1}) if page > 1 else None,
            self.at(**{name: page + 1}) if page < pages else None,
            self.at(**{name: pages}) if page + 1 < pages else None,
        )


def _values(query: ApiModel) -> dict[str, object]:
    return {name: getattr(query, name) for name in type(query).__struct_fields__}
