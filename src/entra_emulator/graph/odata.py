"""OData queries as Graph's directory understands them: filter, search, order, pages, selection.

Sources: learn.microsoft.com/graph/aad-advanced-queries (what needs ConsistencyLevel and $count, and how it is refused without),
learn.microsoft.com/graph/api/application-list (options, 100 in a page, 999 at most), learn.microsoft.com/graph/paging. The
limits of $filter are assumed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from entra_emulator.directory.keys import b64url, un_b64
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import bad_request, unsupported_query

T = TypeVar("T")
Field = Callable[[T], "str | bool | list[str] | None"]
Predicate = Callable[[T], bool]

_TOKENS = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_@$][\w./-]*|\d[\w-]*)|([(),:]))")
_MAX_FILTER = 8_000
_MAX_CLAUSES = 30
DEFAULT_PAGE, MAX_PAGE = 100, 999
_OPTIONS = frozenset({"$filter", "$select", "$top", "$count", "$orderby", "$search", "$skiptoken", "$expand"})
_NEEDS_HEADER = (
    "Request with $search query parameter only works through MSGraph with a special request header: "
    "'ConsistencyLevel: eventual'"
)
_ADVANCED = (
    "Operator or property combination is not supported without the header 'ConsistencyLevel: eventual' and $count=true."
)


@dataclass(slots=True)
class Page(Generic[T]):
    """One page of a list, and how to get the next."""

    items: list[T]
    count: int | None
    next_link: str | None


class _Filter(Generic[T]):
    """A recursive-descent reader of $filter. Raises GraphError for anything it does not know."""

    def __init__(self, text: str, fields: Mapping[str, Field[T]]) -> None:
        if len(text) > _MAX_FILTER:
            raise bad_request("Invalid filter clause: too long.")
        self._tokens = _tokens(text)
        self._fields = fields
        self._at = 0
        self._clauses = 0
        self.advanced = False

    def read(self) -> Predicate[T]:
        predicate = self._either()
        if self._at != len(self._tokens):
            raise self._wrong()
        return predicate

    def _either(self) -> Predicate[T]:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)

    def _both(self) -> Predicate[T]:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)

    def _one(self) -> Predicate[T]:
        self._clauses += 1
        if self._clauses > _MAX_CLAUSES:
            raise bad_request("Invalid filter clause: too many child clauses.")
        if self._take("not"):
            self.advanced = True
            inner = self._one()
            return lambda item: not inner(item)
        if self._take("("):
            group = self._either()
            self._need(")")
            return group
        name = self._next()
        if name.lower() in {"startswith", "endswith"}:
            return self._affix(name.lower())
        return self._any(name.removesuffix("/any")) if name.endswith("/any") else self._comparison(name)

    def _affix(self, function: str) -> Predicate[T]:
        self.advanced |= function == "endswith"
        self._need("(")
        field = self._field(self._next())
        self._need(",")
        affix = str(self._literal()).lower()
        self._need(")")
        if function == "startswith":
            return lambda item: any(value.startswith(affix) for value in _texts(field(item)))
        return lambda item: any(value.endswith(affix) for value in _texts(field(item)))

    def _any(self, name: str) -> Predicate[T]:
        field = self._field(name)
        self._need("(")
        variable = self._next()
        self._need(":")
        if self._next() != variable or self._next().lower() != "eq":
            raise self._wrong()
        literal = str(self._literal()).lower()
        self._need(")")
        return lambda item: literal in _texts(field(item))

    def _comparison(self, name: str) -> Predicate[T]:
        field = self._field(name)
        operator = self._next().lower()
        if operator == "in":
            literals = self._list()
            return lambda item: any(value in literals for value in _texts(field(item)))
        if operator not in {"eq", "ne"}:
            raise unsupported_query(f"Unsupported or invalid query filter clause specified for property '{name}'.")
        literal = self._literal()
        self.advanced |= operator == "ne"
        same: Predicate[T] = lambda item: _equal(field(item), literal)  # noqa: E731 - used on both branches below
        return same if operator == "eq" else lambda item: not same(item)

    def _list(self) -> set[str]:
        self._need("(")
        literals = {str(self._literal()).lower()}
        while self._take(","):
            literals.add(str(self._literal()).lower())
        self._need(")")
        return literals

    def _literal(self) -> str | bool | None:
        word = self._next()
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        if word in {"true", "false"}:
            return word == "true"
        if word == "null":
            return None
        raise self._wrong()

    def _field(self, name: str) -> Field[T]:
        field = self._fields.get(name)
        if field is None:
            raise bad_request(f"Invalid filter clause: Could not find a property named '{name[:100]}'.")
        return field

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise self._wrong()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].lower() == word:
            self._at += 1
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise self._wrong()

    @staticmethod
    def _wrong() -> Exception:
        return bad_request("Invalid filter clause: the expression could not be read.")


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKENS.match(text, at)
        if not match:
            raise bad_request(f"Invalid filter clause: Syntax error at position {at}.")
        tokens.append(match.group(match.lastindex or 0))
        at = match.end()
    return tokens


def _texts(value: str | bool | list[str] | None) -> list[str]:
    if isinstance(value, list):
        return [item.lower() for item in value]
    return [value.lower()] if isinstance(value, str) else []


def _equal(value: str | bool | list[str] | None, literal: str | bool | None) -> bool:
    if isinstance(value, str) and isinstance(literal, str):
        return value.lower() == literal.lower()
    return value == literal


def check_options(call: Call) -> None:
    """Refuses system query options that Graph's directory does not have. Raises GraphError 400."""
    for name in call.parameters():
        if name.startswith("$") and name not in _OPTIONS:
            raise unsupported_query(f"The query option '{name[:50]}' is not supported.")


def expanded(call: Call) -> frozenset[str]:
    """The names in $expand, all of which are `owners`. Raises GraphError 400 for any other."""
    text = call.parameters().get("$expand", "")
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if names - {"owners"}:
        raise bad_request(f"Could not find a property named '{min(names - {'owners'})[:100]}' to expand.")
    return names


def select(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """The chosen properties of an object; all of them without $select."""
    names = selected(call)
    return {name: value for name, value in body.items() if name in names} if names else body


def selected(call: Call) -> frozenset[str]:
    """The names in $select; empty when everything is wanted."""
    text = call.parameters().get("$select", "")
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def eventual(call: Call) -> bool:
    """Whether the caller asked for the advanced, eventually consistent index."""
    return call.headers.get("consistencylevel", "").lower() == "eventual"


def page(
    call: Call,
    items: Iterable[T],
    fields: Mapping[str, Field[T]],
    identity: Callable[[T], str],
    *,
    counting: bool = False,
) -> Page[T]:
    """The page of `items` that the query of this call asks for.

    A page's link names the last item shown, so that items that come or go in between neither hide nor repeat others.
    Raises GraphError for a query that Graph would refuse.
    """
    parameters = call.parameters()
    counting = counting or (parameters.get("$count", "").lower() == "true" and eventual(call))
    passes = _filtering(call, parameters, fields, counting)
    matches = [item for item in items if passes(item)]
    order, descending = _order(parameters, fields, counting)
    ranked = sorted(((_rank(order, item), identity(item), item) for item in matches), key=lambda row: row[:2])
    if descending:
        ranked.reverse()
    total = len(ranked)
    token = parameters.get("$skiptoken")
    if token is not None:
        after = _read_token(token)
        ranked = [row for row in ranked if (row[:2] < after if descending else row[:2] > after)]
    size = _size(parameters)
    rows, rest = ranked[:size], ranked[size:]
    count = total if counting and token is None else None
    return Page([row[2] for row in rows], count, _next_link(call, parameters, rows[-1][:2]) if rest else None)


def _filtering(
    call: Call, parameters: Mapping[str, str], fields: Mapping[str, Field[T]], counting: bool
) -> Predicate[T]:
    tests: list[Predicate[T]] = []
    if "$filter" in parameters:
        reader = _Filter(parameters["$filter"], fields)
        tests.append(reader.read())
        if reader.advanced and not counting:
            raise unsupported_query(_ADVANCED)
    if "$search" in parameters:
        tests.append(_search(call, parameters["$search"], fields))
    return lambda item: all(test(item) for test in tests)


def _search(call: Call, text: str, fields: Mapping[str, Field[T]]) -> Predicate[T]:
    if not eventual(call):
        raise unsupported_query(_NEEDS_HEADER)
    name, _, phrase = text.strip().strip('"').partition(":")
    field = fields.get(name)
    if field is None or not phrase:
        raise bad_request("Syntax error: character in $search is not supported.")
    return lambda item: any(phrase.lower() in value for value in _texts(field(item)))


def _order(
    parameters: Mapping[str, str], fields: Mapping[str, Field[T]], counting: bool
) -> tuple[Field[T] | None, bool]:
    text = parameters.get("$orderby")
    if text is None:
        return None, False
    if not counting:
        raise unsupported_query(_ADVANCED)
    name, _, direction = text.strip().partition(" ")
    if name not in {"displayName", "createdDateTime"} or direction not in {"", "asc", "desc"}:
        raise unsupported_query(f"Unsupported sort property '{name[:100]}' for 'Application'.")
    return fields[name], direction == "desc"


def _rank(order: Field[T] | None, item: T) -> str:
    value = order(item) if order else ""
    return value.lower() if isinstance(value, str) else ""


def _size(parameters: Mapping[str, str]) -> int:
    text = parameters.get("$top", str(DEFAULT_PAGE))
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 6 and 1 <= int(text) <= MAX_PAGE):
        raise unsupported_query(
            f"Invalid page size specified: '{text[:20]}'. Must be between 1 and {MAX_PAGE} inclusive."
        )
    return int(text)


def _read_token(text: str) -> tuple[str, str]:
    try:
        value = json.loads(un_b64(text))
    except (ValueError, RecursionError) as error:
        raise bad_request("Invalid value for $skiptoken.") from error
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(item, str) for item in value)):
        raise bad_request("Invalid value for $skiptoken.")
    return value[0], value[1]


def _next_link(call: Call, parameters: Mapping[str, str], last: tuple[str, str]) -> str:
    token = b64url(json.dumps(last).encode())
    remaining = [(name, value) for name, value in parameters.items() if name not in {"$skiptoken", "$count"}]
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in [*remaining, ("$skiptoken", token)])
    return f"{call.host}{call.path}?{query}"
