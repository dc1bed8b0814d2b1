"""The applications of a tenant page by page, found by words of their names: for people who choose one.

Only the index that lags behind can be searched, and it tells no owners (learn.microsoft.com/graph/aad-advanced-queries), so it
is asked for ids alone; what they name is then read in one call.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from keyturn.errors import Refused
from keyturn.kit import pasted
from keyturn.kit.ids import is_uuid
from keyturn.ports.provider import ApplicationListing, ApplicationPage
from keyturn.providers.azure.graph import Graph, GraphContext, secrets_in

PAGE = 15
"""As many as one filter may name."""
_LIST = "/applications?"
_SHOWN = "$select=id,appId,displayName,passwordCredentials&$expand=owners"
_NOT_IN_SEARCH = str.maketrans({'"': " ", "\\": " "})


def find(graph: Graph, caller: GraphContext, text: str, cursor: str | None) -> ApplicationPage:
    """Return a page of the applications that the caller can see. Raises Refused for a cursor that no page gave."""
    if cursor and not cursor.startswith(_LIST):
        raise _no_page()
    words = " ".join(pasted.search_words(text.translate(_NOT_IN_SEARCH)))
    if not words or is_uuid(words):
        items, following = graph.page(caller, cursor or _all(words))
        return ApplicationPage(tuple(_listing(item) for item in items), following)
    search = quote(f'"displayName:{words}"')
    first = f"{_LIST}$search={search}&$select=id&$top={PAGE}"
    items, following = graph.page(caller, cursor or first, eventual=True)
    return ApplicationPage(tuple(_read(graph, caller, [str(item.get("id")) for item in items])), following)


def find_owned(graph: Graph, caller: GraphContext, principal_id: str, text: str, cursor: str | None) -> ApplicationPage:
    """As :func:`find`, of the applications that the principal owns: Graph lists those, at most 250, and searches none."""
    if cursor and not cursor.isdecimal():
        raise _no_page()
    words = [word.lower() for word in pasted.search_words(text)]
    applications = [_listing(item) for item in graph.owned(caller, principal_id)]
    matches = sorted((each for each in applications if _has(each, words)), key=lambda each: each.name.lower())
    start = int(cursor or 0)
    has_more = len(matches) > start + PAGE
    return ApplicationPage(tuple(matches[start : start + PAGE]), str(start + PAGE) if has_more else None)


def _all(object_or_app_id: str) -> str:
    only = f"&$filter=id eq '{object_or_app_id}' or appId eq '{object_or_app_id}'" if object_or_app_id else ""
    return f"{_LIST}{_SHOWN}&$top={PAGE}{only.replace(' ', '%20')}"


def _read(graph: Graph, caller: GraphContext, ids: Sequence[str]) -> list[ApplicationListing]:
    """Read these applications, in this order. One that was deleted meanwhile is left out."""
    if not ids:
        return []
    names = ",".join(f"'{object_id}'" for object_id in ids)
    items, _ = graph.page(caller, f"{_LIST}{_SHOWN}&$filter=id%20in%20({names})&$top={len(ids)}")
    listings = {listing.object_id: listing for listing in map(_listing, items)}
    return [listings[object_id] for object_id in map(str.lower, ids) if object_id in listings]


def _listing(item: Mapping[str, object]) -> ApplicationListing:
    owners = item.get("owners")
    names = [_owner(owner) for owner in owners if isinstance(owner, dict)] if isinstance(owners, list) else []
    object_id, app_id = str(item.get("id") or "").lower(), str(item.get("appId") or "").lower()
    return ApplicationListing(
        object_id, app_id, str(item.get("displayName") or ""), secrets_in(item), tuple(filter(None, names))
    )


def _owner(owner: Mapping[str, object]) -> str:
    return str(owner.get("userPrincipalName") or owner.get("displayName") or "")


def _has(listing: ApplicationListing, words: Sequence[str]) -> bool:
    name = listing.name.lower()
    return all(word in name or word in {listing.app_id, listing.object_id} for word in words)


def _no_page() -> Refused:
    return Refused(
        "There is no such page of applications.",
        code="connections.no_such_page",
        fix="Begin with the first page again.",
    )
