"""OData queries as Graph understands them: search, order, pages, selection; `filters` reads $filter.

Sources: learn.microsoft.com/graph/aad-advanced-queries (what needs ConsistencyLevel and $count, and how it is refused without),
learn.microsoft.com/graph/api/application-list (options, 100 in a page, 999 at most), learn.microsoft.com/graph/paging.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote

from entra_emulator.core.clock import FIRST_MOMENT, parse_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.keys import b64url, un_b64
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import GraphError, bad_request, plain, success, unsupported_query
from entra_emulator.graph.filters import Field, Filter, Predicate, Value, read_search, spelled

T = TypeVar("T")

DEFAULT_PAGE, MAX_PAGE = 100, 999
_OPTIONS = frozenset(
    {"$filter", "$select", "$top", "$count", "$orderby", "$search", "$skiptoken", "$expand", "$deltatoken"}
)
_BARE = frozenset(name.removeprefix("$") for name in _OPTIONS) | {"apply", "format", "skip"}
"""Names of OData's options without the prefix."""
_OF_PAGES = frozenset({"$filter", "$top", "$count", "$orderby", "$search", "$skiptoken"})
_EXPANDED = re.compile(r"\s*(\w+)(?:\(([^()]*)\))?\s*(?:,|$)")
_NAVIGATION = frozenset({
    "manager", "directReports", "owners", "ownedObjects", "members", "transitiveMembers", "memberOf", "transitiveMemberOf",
    "appRoleAssignments", "appRoleAssignedTo", "federatedIdentityCredentials",
})  # fmt: skip
_FIRST = -FIRST_MOMENT  # so that moments sort as texts do
_NEEDS_HEADER = (
    "Request with $search query parameter only works through MSGraph with a special request header: "
    "'ConsistencyLevel: eventual'"
)
_ADVANCED = (
    "Operator or property combination is not supported without the header 'ConsistencyLevel: eventual' and $count=true."
)


@dataclass(frozen=True, slots=True)
class ListRules:
    """How one kind of list pages and sorts. Without `plain_order`, $orderby needs the advanced mode."""

    default_page: int = DEFAULT_PAGE
    max_page: int = MAX_PAGE
    orderable: frozenset[str] = frozenset({"displayName", "createdDateTime"})
    plain_order: bool = False
    order: str = ""
    """What it is sorted by, the greatest first, where nothing is asked for; empty: by identity."""


DIRECTORY = ListRules()


@dataclass(slots=True)
class Page(Generic[T]):
    """One page of a list, and how to get the next."""

    items: list[T]
    count: int | None
    next_link: str | None


def with_prefixes(query: str) -> str:
    """The query with the prefix that options may be written without.

    Source: https://learn.microsoft.com/graph/query-parameters (optional in beta; in v1.0 for resources that are not named).
    """
    return "&".join(f"${part}" if part.partition("=")[0].lower() in _BARE else part for part in query.split("&"))


def check_options(call: Call) -> None:
    """Refuses system query options that Graph's directory does not have, or that stand there twice. Raises GraphError 400.

    Source of the latter: OData 4.01, part 2, section 5.1.
    """
    options = [unquote(part.partition("=")[0]) for part in call.query.split("&")]
    for name in options:
        if name.startswith("$") and name not in _OPTIONS:
            raise unsupported_query(f"The query option '{name[:50]}' is not supported.")
        if name in _OPTIONS and options.count(name) > 1:
            raise bad_request(
                f"Query option '{name}' was specified more than once, but it must be specified at most once."
            )
    if call.parameters().get("$count", "true").lower() not in {"true", "false"}:
        raise bad_request("Invalid value for the query option '$count': it is 'true' or 'false'.")
    if call.request.method != "GET":
        check_heeded(call, frozenset({"$select", "$expand"}))


def check_heeded(call: Call, heeded: frozenset[str] = frozenset()) -> None:
    """Refuses an option that this request does not heed, beyond those that were read: none is dropped in silence.

    Raises GraphError 400.
    """
    ignored = _OPTIONS & call.parameters().keys() - call.heeded - heeded
    if ignored:
        raise unsupported_query(f"The query option '{min(ignored)}' is not supported for this request.")


def expanded(call: Call, known: frozenset[str]) -> dict[str, frozenset[str]]:
    """The names in $expand, each with the names in the $select behind it: `owners($select=id)`.

    Raises GraphError 400 for a name that is not known here, another option behind it, or a second name. Source of the latter:
    https://github.com/microsoftgraph/microsoft-graph-docs/issues/96.
    """
    call.heeded.add("$expand")
    text, names = call.parameters().get("$expand", ""), {}
    parts = _read_expand(text)
    if len(parts) > 1:
        raise GraphError(
            400,
            "BadRequest",
            f"The result of parsing $expand contained at least {len(parts)} items, but the maximum allowed is 1.",
        )
    for written, options in parts:
        name = spelled(known, written)
        chosen = options.removeprefix("$select=") if options else ""
        if name not in known or (options and chosen == options):
            raise bad_request(f"Could not find a property named '{(name + options)[:100]}' to expand.")
        names[name] = _names(call, chosen)
    return names


def _read_expand(text: str) -> list[tuple[str, str]]:
    """The names in $expand, each with what is in parentheses behind it. Raises GraphError 400 for anything between them."""
    parts, position = [], 0
    while position < len(text):
        match = _EXPANDED.match(text, position)
        if match is None:
            raise bad_request(f"Could not find a property named '{text[position:][:100]}' to expand.")
        parts.append((match[1], match[2] or ""))
        position = match.end()
    return parts


def select(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """The chosen properties of an object; all of them without $select. Raises GraphError 400 for a name that it does not have."""
    names = _wanted(call)
    return chosen(body, names) if names else body


def _wanted(call: Call) -> frozenset[str]:
    """The names in $select, with those in $expand, which are shown without being selected."""
    names, text = selected(call), call.parameters().get("$expand", "")
    return names | {call.spelled.get(name.lower(), name) for name, _ in _read_expand(text)} if names else names


def chosen(body: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """These properties of an object, and its type where it says one. Raises GraphError 400 for a name that it does not have."""
    unknown = names - body.keys() - _NAVIGATION
    if unknown:
        raise _no_such_property(unknown)
    return {name: value for name, value in body.items() if name in names or name == "@odata.type"}


def entity(call: Call, body: dict[str, Any], context: str) -> Response:
    """One object as an answer, with what $select asks for. Raises GraphError 400 for a name that it does not have."""
    return success(call, select(call, body), f"{context}/$entity")


def collection(
    call: Call, rows: list[dict[str, Any]], context: str, properties: frozenset[str] = frozenset()
) -> Response:
    """What stands beside an object, in pages, as the query asks for it; each row has an `id`.

    A query may name these properties, and what any of the rows has. Raises GraphError for one that Graph would refuse.
    """
    known = properties.union(*rows)
    return collection_of(call, rows, lambda row: row, lambda row: str(row["id"]), context, known)


def collection_of(
    call: Call,
    items: Iterable[T],
    show: Callable[[T], dict[str, Any]],
    identity: Callable[[T], str],
    context: str,
    known: frozenset[str],
) -> Response:
    """The same of objects that are only then shown when the page holds them or the query asks for what they have.

    Together they have the `known` properties.
    """
    fields: Mapping[str, Field[T]] = {name: _compared(name, show) for name in known}
    if call.listed[1] == "$count":
        return count(call, items, fields, identity)
    result = page(call, items, fields if known else _Nothing(), identity)
    rows = [show(item) for item in result.items]
    return listed(call, result, choose_each(rows, _wanted(call), known), context)


def count(call: Call, items: Iterable[T], fields: Mapping[str, Field[T]], identity: Callable[[T], str]) -> Response:
    """How many there are of what the query asks for. Raises GraphError 400 without the header ConsistencyLevel."""
    if not eventual(call):
        raise bad_request("$count is not currently supported.")
    return plain(call, str(page(call, items, fields, identity, counting=True).count))


def choose_each(rows: list[dict[str, Any]], names: frozenset[str], known: frozenset[str]) -> list[dict[str, Any]]:
    """These properties of objects of several kinds, which together have the `known` ones; all of them without names.

    Raises GraphError 400 for a name that none of them has.
    """
    unknown = names - known - _NAVIGATION
    if known and unknown:
        raise _no_such_property(unknown)
    return [chosen(row, names & row.keys()) if names else row for row in rows]


class _Nothing(dict[str, Field[Any]]):
    """The properties of rows that are not there: what they would have, nobody knows."""

    def get(self, _name: str, _default: Any = None) -> Field[Any]:
        return lambda _row: None


def _compared(name: str, show: Callable[[T], dict[str, Any]]) -> Field[T]:
    def value(item: T) -> Value:
        shown = show(item).get(name)
        if isinstance(shown, str):
            return parse_time(shown) if name.endswith("DateTime") else shown
        if isinstance(shown, list):
            return [text for text in shown if isinstance(text, str)]
        return shown if isinstance(shown, bool) else None

    return value


def listed_as(
    call: Call,
    result: Page[T],
    show: Callable[[Call, T], dict[str, Any]],
    context: str,
    expandable: frozenset[str] = frozenset(),
) -> Response:
    """A page as an answer, each item shown as $select and $expand of this call ask for.

    Both are read where there is no item to show, too. Raises GraphError 400 for a name that is not known.
    """
    selected(call)
    if expandable:
        expanded(call, expandable)
    return listed(call, result, [show(call, item) for item in result.items], context)


def listed(call: Call, result: Page[T], value: list[dict[str, Any]], context: str) -> Response:
    """A page as an answer, with its count and the link to the next one."""
    body: dict[str, Any] = {"value": value}
    if result.count is not None:
        body = {"@odata.count": result.count, **body}
    if result.next_link:
        body = {"@odata.nextLink": result.next_link, **body}
    return success(call, body, context)


def selected(call: Call) -> frozenset[str]:
    """The names in $select; empty when everything is wanted."""
    call.heeded.add("$select")
    text = call.parameters().get("$select", "")
    return _names(call, text)


def _names(call: Call, text: str) -> frozenset[str]:
    words = (name.strip() for name in text.split(","))
    return frozenset(call.spelled.get(word.lower(), word) for word in words if word)


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
    rules: ListRules = DIRECTORY,
) -> Page[T]:
    """The page of `items` that the query of this call asks for.

    A page's link names the last item shown, so that items that come or go in between neither hide nor repeat others.
    Raises GraphError for a query that Graph would refuse.
    """
    call.heeded.update(_OF_PAGES)
    parameters = call.parameters()
    counting = counting or (parameters.get("$count", "").lower() == "true" and eventual(call))
    passes = _filtering(call, parameters, fields, counting)
    matches = [item for item in items if passes(item)]
    order, descending = _order(parameters, fields, rules, counting=counting)
    ranked = sorted(((_rank(order, item), identity(item), item) for item in matches), key=lambda row: row[:2])
    if descending:
        ranked.reverse()
    total = len(ranked)
    token = parameters.get("$skiptoken")
    if token is not None:
        after = _read_token(token)
        ranked = [row for row in ranked if (row[:2] < after if descending else row[:2] > after)]
    size = _size(parameters, rules)
    rows, rest = ranked[:size], ranked[size:]
    count = total if counting and token is None else None
    return Page([row[2] for row in rows], count, _next_link(call, parameters, rows[-1][:2]) if rest else None)


def _filtering(
    call: Call, parameters: Mapping[str, str], fields: Mapping[str, Field[T]], counting: bool
) -> Predicate[T]:
    tests: list[Predicate[T]] = []
    if "$filter" in parameters:
        reader = Filter(parameters["$filter"], fields)
        tests.append(reader.read())
        if reader.advanced and not counting:
            raise unsupported_query(_ADVANCED)
    if "$search" in parameters:
        tests.append(_search(call, parameters["$search"], fields))
    return lambda item: all(test(item) for test in tests)


def _search(call: Call, text: str, fields: Mapping[str, Field[T]]) -> Predicate[T]:
    if not eventual(call):
        raise unsupported_query(_NEEDS_HEADER)
    return read_search(text, fields)


def _order(
    parameters: Mapping[str, str], fields: Mapping[str, Field[T]], rules: ListRules, *, counting: bool
) -> tuple[Field[T] | None, bool]:
    text = parameters.get("$orderby")
    if text is None:
        return fields.get(rules.order), bool(rules.order)
    if not counting and not rules.plain_order:
        raise unsupported_query(_ADVANCED)
    name, _, direction = text.strip().partition(" ")
    name = spelled(fields, name)
    field = fields.get(name) if name in rules.orderable else None
    if field is None or direction not in {"", "asc", "desc"}:
        raise unsupported_query(f"Unsupported sort property '{name[:100]}' for 'Application'.")
    return field, direction == "desc"


def _rank(order: Field[T] | None, item: T) -> str:
    value = order(item) if order else ""
    if isinstance(value, float):
        return f"{value + _FIRST:020.6f}"
    return value.lower() if isinstance(value, str) else ""


def _size(parameters: Mapping[str, str], rules: ListRules) -> int:
    text = parameters.get("$top", str(rules.default_page))
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 6 and 1 <= int(text) <= rules.max_page):
        raise unsupported_query(
            f"Invalid page size specified: '{text[:20]}'. Must be between 1 and {rules.max_page} inclusive."
        )
    return int(text)


def _no_such_property(names: frozenset[str]) -> GraphError:
    return GraphError(
        400,
        "BadRequest",
        f"Parsing OData Select and Expand failed: Could not find a property named '{min(names)[:100]}'.",
    )


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
