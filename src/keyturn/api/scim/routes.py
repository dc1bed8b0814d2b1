"""Routes of SCIM 2.0: RFC 7644. They are described by themselves, under /Schemas, and not in the API reference."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from keyturn.api.scim.endpoint import Answer, Authenticate, Call, ScimEndpoint
from keyturn.errors import Forbidden, NotBuilt, NotFound
from keyturn.provisioning.scim.domain import Page, Window
from keyturn.provisioning.scim.filters import Filter, parse_filter, plain_path
from keyturn.provisioning.scim.groups import ScimGroups
from keyturn.provisioning.scim.patches import attribute_path, fields, invalid
from keyturn.provisioning.scim.schemas import MOST_RESULTS, resource_types, schemas, service_provider_config
from keyturn.provisioning.scim.users import ScimUsers
from keyturn.web.edge import Endpoint
from keyturn.web.table import WrongMethod

ROOT = "/api/scim/v2"
_LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_ALWAYS = frozenset({"id", "schemas"})
_USUAL = 100


def router(users: ScimUsers, groups: ScimGroups, authenticate: Authenticate) -> tuple[Endpoint, ...]:
    """Return the routes; ``authenticate`` knows the clients.

    What is not there has routes as well, so that clients are told in the shape that they read.
    """
    routes = [
        *_resources("Users", "user_id", users),
        *_resources("Groups", "group_id", groups),
        *_about(users.base),
        ("POST", "/.search", _search_all),
        ("POST", "/Bulk", _bulk),
        *((method, "/Me", _me) for method in METHODS),
    ]
    by_path: dict[str, dict[str, Callable[[Call], Answer]]] = {}
    for method, path, function in routes:
        by_path.setdefault(path, {})[method] = function
    for functions in by_path.values():
        refused = partial(_wrong_method, tuple(functions))
        functions |= {method: refused for method in METHODS if method not in functions}
    by_path["/{rest:path}"] = dict.fromkeys(METHODS, _nothing)
    return tuple(
        ScimEndpoint(method, f"{ROOT}{path}", function, authenticate)
        for path, functions in by_path.items()
        for method, function in functions.items()
    )


_Route = tuple[str, str, Callable[[Call], Answer]]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _wrong_method(methods: tuple[str, ...], _call: Call) -> Answer:
    raise WrongMethod(methods)


def _nothing(_call: Call) -> Answer:
    raise NotFound("There is nothing at this address.", code="scim.not_found")


def _search_all(_call: Call) -> Answer:
    raise NotBuilt(
        "This service does not search users and groups at once.",
        code="scim.search_all",
        fix="Search /Users/.search or /Groups/.search.",
    )


def _bulk(_call: Call) -> Answer:
    raise NotBuilt("This service takes no operations in bulk.", code="scim.bulk", fix="Send each of them by itself.")


def _me(_call: Call) -> Answer:
    raise NotBuilt("A token of SCIM is nobody's in particular.", code="scim.me", fix="Search /Users with a filter.")


def _resources(name: str, parameter: str, cases: ScimUsers | ScimGroups) -> Sequence[_Route]:
    one = f"/{name}/{{{parameter}}}"

    def find(call: Call) -> Answer:
        window = _window(call.query)
        page = cases.find(call.client, _filter(call.query), window)
        return Answer(_listed(page, window, call.query))

    def search(call: Call) -> Answer:
        query = _search(call.body)
        window = _window(query)
        return Answer(_listed(cases.find(call.client, _filter(query), window), window, query))

    def create(call: Call) -> Answer:
        return _made(cases.create(call.client, call.body), call)

    def get(call: Call) -> Answer:
        return _one(cases.get(call.client, call.params[parameter]), call)

    def replace(call: Call) -> Answer:
        return _one(cases.replace(call.client, call.params[parameter], call.body, call.expected), call)

    def patch(call: Call) -> Answer:
        return _one(cases.patch(call.client, call.params[parameter], _operations(call.body), call.expected), call)

    def delete(call: Call) -> Answer:
        cases.delete(call.client, call.params[parameter], call.expected)
        return Answer(None)

    return (
        ("GET", f"/{name}", find),
        ("POST", f"/{name}", create),
        ("POST", f"/{name}/.search", search),
        ("GET", one, get),
        ("PUT", one, replace),
        ("PATCH", one, patch),
        ("DELETE", one, delete),
    )


def _about(base: str) -> Sequence[_Route]:
    def config(call: Call) -> Answer:
        _refuse_filter(call)
        return Answer(service_provider_config(base))

    def every(found: Sequence[dict[str, Any]]) -> Callable[[Call], Answer]:
        def answer(call: Call) -> Answer:
            _refuse_filter(call)
            return Answer(_listed(Page(len(found), found), Window(), {}))

        return answer

    def one_of(found: Sequence[dict[str, Any]]) -> Callable[[Call], Answer]:
        def answer(call: Call) -> Answer:
            wanted = call.params["name"]
            for each in found:
                if each["id"] == wanted:
                    return Answer(each)
            raise NotFound(f"There is no '{wanted}'.", code="scim.not_found")

        return answer

    types, described = resource_types(base), schemas(base)
    return (
        ("GET", "/ServiceProviderConfig", config),
        ("GET", "/ResourceTypes", every(types)),
        ("GET", "/ResourceTypes/{name}", one_of(types)),
        ("GET", "/Schemas", every(described)),
        ("GET", "/Schemas/{name}", one_of(described)),
    )


def _refuse_filter(call: Call) -> None:
    if "filter" in call.query:  # RFC 7644, section 4
        raise Forbidden("What this service is takes no filter.", code="scim.no_filter")


def _filter(query: Mapping[str, str]) -> Filter | None:
    text = query.get("filter", "").strip()
    return parse_filter(text) if text else None


def _search(body: object) -> dict[str, str]:
    """Read a search that is sent as a body, as the same in an address: RFC 7644, section 3.4.3."""
    if not isinstance(body, Mapping):
        raise invalid("A search is an object.")
    names = ("filter", "startIndex", "count", "sortBy", "sortOrder", "attributes", "excludedAttributes")
    given = fields(body, names).items()
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in given
        if value is not None
    }


def _window(query: Mapping[str, str]) -> Window:
    """Read the page and the order asked for. A start below 1 is 1, a count below 0 is 0: RFC 7644, section 3.4.2.4."""
    start, count = _number(query, "startIndex", 1), _number(query, "count", _USUAL)
    order = query.get("sortOrder", "").lower() or "ascending"
    if order not in {"ascending", "descending"}:
        raise invalid("'sortOrder' is ascending or descending.", "sortOrder")
    by = attribute_path(query.get("sortBy", ""))
    return Window(max(1, start), min(MOST_RESULTS, max(0, count)), by, order == "descending")


def _number(query: Mapping[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, "")
    try:
        return int(text[:18]) if text else otherwise
    except ValueError:
        raise invalid(f"'{name}' is a whole number.", name) from None


def _listed(page: Page, window: Window, query: Mapping[str, str]) -> dict[str, Any]:
    return {
        "schemas": [_LIST],
        "totalResults": page.total,
        "startIndex": window.start,
        "itemsPerPage": len(page.resources),
        "Resources": [_chosen(each, query) for each in page.resources],
    }


def _one(resource: dict[str, Any], call: Call) -> Answer:
    return Answer(_chosen(resource, call.query), version=resource["meta"]["version"])


def _made(resource: dict[str, Any], call: Call) -> Answer:
    meta = resource["meta"]
    return Answer(_chosen(resource, call.query), 201, meta["location"], meta["version"])


def _chosen(resource: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    """Return the attributes that the client asks for: RFC 7644, section 3.9. Who asks for a part gets the whole attribute."""
    only, but = _names(query, "attributes"), _names(query, "excludedAttributes")
    if only:
        wanted = {each.partition(".")[0] for each in only}
        return {name: value for name, value in resource.items() if name in _ALWAYS or name.lower() in wanted}
    return {name: value for name, value in resource.items() if name in _ALWAYS or name.lower() not in but}


def _names(query: Mapping[str, str], parameter: str) -> frozenset[str]:
    names = (plain_path(each.strip()) for each in query.get(parameter, "").split(","))
    return frozenset(each for each in names if each)


def _operations(body: object) -> object:
    if not isinstance(body, Mapping):
        raise invalid("A change is an object with 'schemas' and 'Operations'.")
    given = fields(body, ("schemas", "Operations"))
    named = given.get("schemas")
    if not isinstance(named, list) or _PATCH not in named:
        raise invalid(f"The 'schemas' of a change name {_PATCH}.", "schemas")
    return given.get("Operations")
