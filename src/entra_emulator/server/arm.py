"""Azure Resource Manager: where everything is, the subscriptions, and the roles in them.

Sources: azure-cli-core 2.91.0 (cloud.py) and hashicorp/go-azure-sdk (environments) read the document of endpoints;
https://learn.microsoft.com/rest/api/authorization/ (role definitions and assignments, api-version 2022-04-01);
https://learn.microsoft.com/azure/role-based-access-control/troubleshooting (PrincipalNotFound, RoleAssignmentExists).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.azure_roles import AzureRoles
from entra_emulator.directory.hosts import GRAPH, graph_at, login_at, resource_manager_at
from entra_emulator.directory.membership import with_groups
from entra_emulator.directory.world import Call
from entra_emulator.server import arm_roles
from entra_emulator.server.arm_errors import ArmError
from entra_emulator.tokens.tokens import bearer_claims

_JSON = (("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-cache"))
_AUDIENCES = frozenset({"https://management.azure.com", "https://management.core.windows.net"})
_AUTHORIZATION = "/providers/microsoft.authorization/"


def handle(call: Call) -> Response:
    """Answers one request to Azure Resource Manager."""
    try:
        if call.path.rstrip("/").lower() == "/metadata/endpoints":
            call.entry.operation = "listEndpoints"
            return Response(200, _JSON, json_body(_endpoints(call)))
        _authenticate(call)
        status, body = _work(call)
    except ArmError as refusal:
        call.entry.error = refusal.code
        body = {"error": {"code": refusal.code, "message": str(refusal)}}
        return Response(refusal.status, (*_JSON, *refusal.headers), json_body(body))
    return Response(status, _JSON, b"" if body is None else json_body(body))


def _work(call: Call) -> tuple[int, Any]:
    path = unquote(call.path).rstrip("/")
    scope, found, below = path.lower().partition(_AUTHORIZATION)
    if found:
        kind, _, name = below.partition("/")
        route = arm_roles.ROUTES.get((call.request.method, kind, bool(name)))
        if route is not None:
            call.entry.operation, work = route
            return work(call, path[: len(scope)], name)
    simple = _SIMPLE.get((call.request.method, path.lower()))
    if simple is not None:
        call.entry.operation, listed = simple
        return 200, listed(call)
    parts = path.split("/")
    if call.request.method == "GET" and len(parts) == 3 and parts[1].lower() == "subscriptions":
        call.entry.operation = "getSubscription"
        shown = next((item for item in _visible(call) if item["subscriptionId"] == parts[2].lower()), None)
        if shown is None:
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{parts[2][:100]}' could not be found.")
        return 200, shown
    raise ArmError(404, "NotFound", "The resource was not found.")


def _authenticate(call: Call) -> None:
    if not call.headers.get("authorization"):
        challenge = f'Bearer authorization_uri="{login_at(call.host)}/common", error="invalid_token"'
        message = "Authentication failed. The 'Authorization' header is missing."
        raise ArmError(401, "AuthenticationFailed", message, (("WWW-Authenticate", challenge),))
    claims = bearer_claims(call)
    tenant = call.world.directory.tenants.get(claims["tid"]) if claims else None
    audience = str(claims["aud"]).rstrip("/").lower() if claims else ""
    if claims is None or tenant is None or audience not in _AUDIENCES | {call.host.lower()}:
        raise ArmError(401, "InvalidAuthenticationToken", "The access token is invalid.")
    if not claims["nbf"] - 300 <= call.now < claims["exp"]:
        raise ArmError(401, "ExpiredAuthenticationToken", "The access token expiry UTC time is in the past.")
    call.enter(tenant)
    call.caller_oid = claims["oid"]
    call.entry.caller = claims.get("appid") or claims.get("azp", "")


def _subscriptions(call: Call) -> Any:
    value = _visible(call)
    return {"value": value, "count": {"type": "Total", "value": len(value)}}


def _visible(call: Call) -> list[dict[str, Any]]:
    """The subscriptions in which the caller has a role somewhere."""
    azure: AzureRoles = call.home().azure
    who = with_groups(call.home(), call.caller_oid)
    mine = [item.scope.lower() for item in azure.assignments.values() if item.principal_id in who]
    return [
        {
            "id": f"/subscriptions/{name}",
            "authorizationSource": "RoleBased",
            "displayName": title,
            "managedByTenants": [],
            "state": "Enabled",
            "subscriptionId": name,
            "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01"},
            "tenantId": call.home().id,
        }
        for name, title in azure.subscriptions.items()
        if any(scope == "/" or scope.startswith(f"/subscriptions/{name}") for scope in mine)
    ]


def _tenants(call: Call) -> Any:
    tenant = call.home()
    shown = {
        "id": f"/tenants/{tenant.id}",
        "defaultDomain": tenant.domains[0],
        "displayName": tenant.name,
        "domains": tenant.domains,
        "tenantCategory": "Home",
        "tenantId": tenant.id,
    }
    return {"value": [shown]}


def _endpoints(call: Call) -> Any:
    """Where everything is: all of it here, or all of it at the real names, by the name that the caller used."""
    login, graph, manager = login_at(call.host), graph_at(call.host), resource_manager_at(call.host)
    real = graph == GRAPH
    version = call.parameters().get("api-version", "")
    authentication = {
        "loginEndpoint": login,
        "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
        "tenant": "common",
        "identityProvider": "AAD",
    }
    if version.startswith("2015"):
        return {
            "galleryEndpoint": manager,
            "graphEndpoint": graph,
            "portalEndpoint": login,
            "authentication": authentication,
        }
    document = {
        "name": "AzureCloud" if real else "Emulator",
        "authentication": authentication,
        "batch": "https://batch.core.windows.net/",
        "graph": f"{graph}/",
        "graphAudience": "https://graph.windows.net/",
        "microsoftGraphResourceId": f"{graph}/",
        "portal": "https://portal.azure.com" if real else login,
        "resourceManager": f"{manager}/",
        "suffixes": {
            "keyVaultDns": "vault.azure.net",
            "sqlServerHostname": "database.windows.net",
            "storage": "core.windows.net",
            "acrLoginServer": "azurecr.io",
        },
    }
    return [document] if version.startswith(("2018", "2019", "2020")) else document


_SIMPLE: dict[tuple[str, str], tuple[str, Callable[[Call], Any]]] = {
    ("GET", "/subscriptions"): ("listSubscriptions", _subscriptions),
    ("GET", "/tenants"): ("listTenants", _tenants),
}
