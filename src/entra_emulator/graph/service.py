"""Microsoft Graph, v1.0 and beta: who calls, which route, and the way through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import ServicePrincipal, Tenant, User, as_guid
from entra_emulator.directory.replies import act
from entra_emulator.directory.roles import permissions_of, role_names
from entra_emulator.directory.world import Call
from entra_emulator.graph import (
    application_templates,
    applications,
    assignments,
    batch,
    credentials,
    deleted,
    delta,
    directory_audits,
    directory_objects,
    directory_roles,
    federated,
    groups,
    me,
    membership,
    organization,
    other_policies,
    owners,
    permission_grants,
    policies,
    principals,
    reports,
    role_assignments,
    sign_in_logs,
    users,
)
from entra_emulator.graph import keys as graph_keys
from entra_emulator.graph.declared import APPLICATION, GROUP, PRINCIPAL, USER
from entra_emulator.graph.errors import (
    GraphError,
    answer,
    faulty,
    revoked,
    throttled,
    unauthenticated,
    unknown_segment,
)
from entra_emulator.graph.lookup import Key, application_by_key, principal_by_key
from entra_emulator.graph.names import SPELLED
from entra_emulator.graph.odata import check_heeded, check_options, with_prefixes
from entra_emulator.graph.views import OBJECT_KINDS
from entra_emulator.tokens.continuous_access import revoked_since
from entra_emulator.tokens.tokens import bearer_claims, is_graph, read_key_id

Handler = Callable[[Call, tuple[Key, ...]], Response]
_KEYED = {
    "applications",
    "applicationtemplates",
    "serviceprincipals",
    "owners",
    "federatedidentitycredentials",
    "appmanagementpolicies",
    "deleteditems",
    "users",
    "groups",
    "members",
    "organization",
    "domains",
    "approleassignments",
    "approleassignedto",
    "oauth2permissiongrants",
    "directoryobjects",
    "directoryroles",
    "directoryroletemplates",
    "roledefinitions",
    "roleassignments",
    "signins",
    "directoryaudits",
    "appcredentialsigninactivities",
    "serviceprincipalsigninactivities",
}
_REPORTS = ("auditlogs/", "reports/")
_BLUEPRINTS = frozenset({"agentidentityblueprint", "agentidentityblueprintprincipal"})
"""Kinds of applications and of service principals."""
_FUNCTIONS = frozenset({"delta", "getbyids", "validateproperties", *_BLUEPRINTS})
"""What stands where a key could, and is none."""
_PREFIXES = ("microsoft.graph.", "graph.")
"""Before the name of a type or function. The short one is what SDKs made by Kiota send (msgraph-sdk for Python 1.65)."""
_OBJECT_LISTS = frozenset(
    {"owners", "members", "transitivemembers", "memberof", "transitivememberof", "ownedobjects", "directreports"}
)
_FORMS = frozenset({"$count", "$ref"})
_COUNTED = frozenset({
    "applicationtemplates", "federatedidentitycredentials", "approleassignments", "approleassignedto", "directoryroles",
})  # fmt: skip
"""Other lists whose number a path asks for."""
_DELETED = ["directory", "deleteditems"]
_MAX_SEGMENTS = 12
_OF_ALL = ("id", "displayName", "appId", "passwordCredentials", "keyCredentials")
_WITH_PROPERTIES = {
    name: frozenset(each.lower() for each in (*rules, *_OF_ALL))
    for name, rules in (
        ("applications", APPLICATION), ("serviceprincipals", PRINCIPAL), ("users", USER), ("groups", GROUP)
    )
}  # fmt: skip
"""Whose objects are read by property, too, and what their types declare, in lower case."""
_ALIAS = "myorganization"
"""Another name of the root: the portal's own requests, and scripts made from them, begin with it."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: its name in the ledger and in faults, and the function that does it."""

    operation: str
    handler: Handler


def _routes(*, beta: bool) -> dict[str, dict[str, Route]]:
    """All routes of a version: path pattern (lower case, `{}` for a key) -> method -> route."""
    table: dict[str, dict[str, Route]] = {}
    rooms = (
        applications,
        application_templates,
        credentials,
        graph_keys,
        owners,
        federated,
        principals,
        me,
        deleted,
        policies,
        other_policies,
        sign_in_logs,
        directory_audits,
        delta,
        users,
        groups,
        membership,
        organization,
        assignments,
        permission_grants,
        directory_objects,
        directory_roles,
        role_assignments,
    )
    routes = [route for room in rooms for route in room.ROUTES]
    for method, pattern, operation, handler in [*routes, *(reports.BETA_ROUTES if beta else ())]:
        table.setdefault(pattern.lower(), {})[method] = Route(operation, handler)
    table["$batch"] = {"POST": Route("batch", lambda call, _keys: batch.handle(call, handle))}
    return table


_USER_INFO = Route("getUserInfo", me.user_info)
_TABLES = {
    "v1.0": _routes(beta=False),
    "beta": _routes(beta=True),
    "oidc": {"userinfo": {"GET": _USER_INFO, "POST": _USER_INFO}},
}


def routes(version: str) -> dict[str, dict[str, str]]:
    """The operations of `v1.0` or `beta`: path pattern in lower case (`{}` for a key) -> method -> name in the ledger."""
    return {
        pattern: {method: route.operation for method, route in methods.items()}
        for pattern, methods in _TABLES[version].items()
    }


def handle(call: Call) -> Response:
    """Answers one request to Graph."""
    pattern, keys = _parse(call.path)
    call.spelled = SPELLED
    call.query = with_prefixes(call.query)
    methods = _TABLES[call.path.lstrip("/").partition("/")[0]].get(pattern, {})
    route = methods.get(call.request.method)
    if route is None and call.request.method == "GET":
        route = _list_route(call, pattern) or (None if methods else _property_route(call, pattern))
    if route is not None:
        call.entry.operation = route.operation
    try:
        _authenticate(call)
        _note_target(call, pattern, keys)
        if pattern != "$batch":
            _throttle(call, pattern)
        if not _is_home(call):
            raise _no_route(call, known_path=False)
        if route is None:
            raise _no_route(call, known_path=bool(methods))
        check_options(call)
        return act(call, lambda: _answer(call, route, keys), faulty)
    except GraphError as refusal:
        return answer(call, refusal)


def _list_route(call: Call, pattern: str) -> Route | None:
    """The read of a list of which the path asks for one kind of objects, their number, or references.

    Source: https://learn.microsoft.com/graph/api/group-list-members (casts and $count), .../directory-deleteditems-list.
    """
    words = pattern.split("/")
    form = words.pop() if words[-1] in _FORMS else ""
    if form == "$count" and words and (words[-1] in _COUNTED or words[:2] == _DELETED):
        call.listed = ("", form)
        return _TABLES["v1.0"].get("/".join(words), {}).get("GET")
    kind = words.pop() if words[-1:] and words[-1] in OBJECT_KINDS else ""
    if not (form or kind) or not words or words[-1] not in _OBJECT_LISTS:
        return None
    call.listed = (kind, form)
    return _TABLES["v1.0"].get("/".join(words), {}).get("GET")


def _property_route(call: Call, pattern: str) -> Route | None:
    """The read of the object whose property the path names, if it names one; that it is one is found out by the answer."""
    collection, _, names = pattern.partition("/{}/")
    if collection not in _WITH_PROPERTIES or not names or "{}" in names:
        return None
    call.property_path = tuple(names.split("/"))
    one = _TABLES["v1.0"][f"{collection}/{{}}"]["GET"]
    declared = _WITH_PROPERTIES[collection]

    def read(call: Call, keys: tuple[Key, ...]) -> Response:
        try:
            return one.handler(call, keys)
        except GraphError as refusal:
            # Of an object that is not there no property can be seen: what its type does not declare is no segment all the same.
            if refusal.status == 404 and call.property_path[:1] and call.property_path[0] not in declared:
                raise unknown_segment(call.property_path[0]) from refusal
            raise

    return Route(one.operation, read)


def _answer(call: Call, route: Route, keys: tuple[Key, ...]) -> Response:
    response = route.handler(call, keys)
    if call.request.method == "GET":
        check_heeded(call)
    return response


def _authenticate(call: Call) -> None:
    if not call.headers.get("authorization"):
        raise unauthenticated(call, "Access token is empty.")
    claims = bearer_claims(call)
    if claims is None:
        raise unauthenticated(call, "CompactToken parsing failed with error code: 80049217")
    tenant = call.world.directory.tenants.get(claims["tid"])
    if tenant is None:
        raise unauthenticated(call, "The tenant of the access token is not known.")
    call.enter(tenant)
    call.entry.caller = claims.get("appid") or claims.get("azp", "")
    call.entry.auth_key_id = read_key_id(claims)
    if not is_graph(claims["aud"], call.host):
        raise unauthenticated(call, "Access token validation failure. Invalid audience.")
    # Source of the text: https://github.com/s1t5/mail-archiver/issues/267. The five minutes are assumed.
    if not claims["nbf"] - 300 <= call.local_now < claims["exp"]:
        raise unauthenticated(call, "Lifetime validation failed, the token is expired.")
    if claims.get("idtyp") == "user":
        _as_user(call, tenant, claims)
        return
    principal = tenant.principals.get(claims["oid"])
    _check_evaluation(call, claims, principal or tenant.deleted_principals.get(claims["oid"]))
    if principal is None or not principal.enabled:
        raise _not_known("application")
    call.caller_oid = principal.object_id
    call.roles = frozenset(claims.get("roles", ())) | permissions_of(role_names(claims.get("wids", [])))


def _as_user(call: Call, tenant: Tenant, claims: dict[str, Any]) -> None:
    """The permissions and roles are those of the token, until it ends."""
    user = tenant.users.get(claims["oid"])
    _check_evaluation(call, claims, user or tenant.deleted_users.get(claims["oid"]))
    if user is None or not user.enabled:
        raise _not_known("user")
    call.user, call.caller_oid = user, user.object_id
    call.entry.user = user.object_id
    call.scopes = frozenset(claims["scp"].split())
    call.directory_roles = role_names(claims["wids"])


def _check_evaluation(call: Call, claims: dict[str, Any], holder: ServicePrincipal | User | None) -> None:
    since = revoked_since(call, claims, holder)
    if since is not None:
        raise revoked(call, since)


def _not_known(what: str) -> GraphError:
    """Status and text are assumed: nobody is known who published how a removed caller is refused."""
    text = f"The identity of the calling {what} could not be established."
    return GraphError(403, "Authorization_IdentityNotFound", text)


def _throttle(call: Call, pattern: str) -> None:
    tenant, settings = call.home(), call.settings
    wait = call.world.throttle.wait(settings.graph_budget, call.now, ("graph", tenant.id, call.entry.caller))
    if wait is None and "keycredentials" in call.parameters().get("$select", "").lower():
        wait = call.world.throttle.wait(settings.key_select_budget, call.now, ("keyCredentials", tenant.id))
    if wait is None and pattern.startswith(_REPORTS):
        key = ("reports", tenant.id, call.entry.caller)
        wait = call.world.throttle.wait(settings.reports_budget, call.now, key)
    if wait is not None:
        raise throttled(call, wait)


def _note_target(call: Call, pattern: str, keys: tuple[Key, ...]) -> None:
    """Names the object acted upon in the ledger, whatever the answering replica knows of it."""
    if not keys:
        return
    if pattern.startswith("applications/"):
        application = application_by_key(call, keys[0])
        call.entry.application = application.object_id if application else ""
    elif pattern.startswith("serviceprincipals/"):
        principal = principal_by_key(call, keys[0])
        own = call.world.directory.application(principal.app_id) if principal else None
        call.entry.application = own.object_id if own else ""


def _parse(path: str) -> tuple[str, tuple[Key, ...]]:
    """Splits a path into its pattern and its keys: `applications(appId='x')/owners` -> `applications/{}/owners`."""
    pattern: list[str] = []
    keys: list[Key] = []
    segments = [unquote(part) for part in path.split("/")[2:] if part]
    if segments and (segments[0].lower() == _ALIAS or as_guid(segments[0])):
        segments = segments[1:]
    for segment in segments[:_MAX_SEGMENTS]:
        lowered = segment.lower().removesuffix("()")
        lowered = next((lowered.removeprefix(prefix) for prefix in _PREFIXES if lowered.startswith(prefix)), lowered)
        name, bracket, inner = segment.partition("(")
        if bracket and inner.endswith(")") and name.lower() in _KEYED:
            kind, equals, value = inner[:-1].partition("=")
            key = (kind.strip().lower(), value.strip().strip("'")) if equals else ("id", kind.strip().strip("'"))
            pattern += [name.lower(), "{}"]
            keys.append(key)
        elif lowered in _BLUEPRINTS and pattern and pattern[-1] == "{}":
            continue  # a cast of one object, which changes nothing
        elif pattern and pattern[-1] in _KEYED and not _is_word(segment, lowered):
            pattern.append("{}")
            keys.append(("id", segment))
        else:
            pattern.append(lowered)
    return "/".join(pattern), tuple((kind, as_guid(value) or value) for kind, value in keys)


def _is_home(call: Call) -> bool:
    """Whether the tenant that the path names, if it names one, is that of the caller.

    Source: github.com/manicminer/hamilton v0.44.0, msgraph/client.go, which begins each path with it. That another one is an
    unknown segment is assumed.
    """
    tenant_id = as_guid(unquote(f"{call.path}//".split("/")[2]))
    return tenant_id is None or tenant_id == call.home().id


def _is_word(segment: str, lowered: str) -> bool:
    """Whether this is a word of the protocol, and not a key."""
    return lowered in _FUNCTIONS or segment.lower().startswith(("$", *_PREFIXES))


def _no_route(call: Call, *, known_path: bool) -> GraphError:
    if known_path:
        return GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    segments = [unquote(part) for part in call.path.split("/")[2:] if part]
    return unknown_segment((segments or [""])[-1])
