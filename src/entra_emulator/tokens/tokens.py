"""Access tokens: which resource, which claims, how long.

Sources: learn.microsoft.com/entra/identity-platform/access-token-claims-reference, and captures of a live tenant of August 2026
(https://github.com/calvinchengx/entra-emulator, e2e/differential): Graph's tokens have version 1.0 whatever the endpoint, a token
without granted permissions has no `roles`, and the answer has just these four members.
"""

from __future__ import annotations

import hashlib
from typing import Any

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.directory import GRAPH_APP_ID, ServicePrincipal
from entra_emulator.directory.hosts import login_at
from entra_emulator.directory.keys import b64url
from entra_emulator.directory.membership import app_roles
from entra_emulator.directory.roles import TEMPLATES, roles_of
from entra_emulator.directory.world import Call
from entra_emulator.tokens.assigned import check_application_assigned
from entra_emulator.tokens.continuous_access import (
    BACKDATED,
    capability_claims,
    declares_capability,
    token_lifetime,
)
from entra_emulator.tokens.sts_errors import StsError, headers, unknown_resource

GRAPH_NAMES = (
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
    GRAPH_APP_ID,
)
TOKEN_EXCHANGE = "api://AzureADTokenExchange"
TOKEN_EXCHANGE_APP_ID = "fb60f99c-7a34-4190-8149-302f77469936"
"""The audience of tokens that are exchanged, as requests and as tokens name it.

Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity.
"""
PORTAL_APP_ID = "74658136-14ec-4630-ad9b-26e160ff0fc6"
"""The portal's own interface. Source: azure-cli 2.91.0, role/custom.py (admin_consent)."""
OIDC_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
"""Words in `scope` that ask for no resource."""


def issue(call: Call, form: dict[str, str], principal: ServicePrincipal, key_id: str, method: str) -> Response:
    """A token for this service principal. Raises StsError for a bad scope or an unknown resource.

    The key that authenticated is carried in `rh`, a claim that no client may read, so that the ledger can name it.
    """
    audience = _requested_resource(form)
    evaluated = (
        declares_capability(call, form) and is_graph(audience, call.host) and _is_of_this_tenant(call, principal)
    )
    lifetime = token_lifetime(call, capable=evaluated, application=True)
    more = {"rh": f"1.{key_id}"} | capability_claims(capable=evaluated)
    body: dict[str, Any] = {
        "token_type": "Bearer",
        "expires_in": lifetime - 1,
        "ext_expires_in": lifetime - 1,
        "access_token": mint(call, principal, audience, lifetime, method, more),
    }
    if evaluated:  # MSAL for Python 1.39 makes `refresh_on` of it (application.py)
        body["refresh_in"] = lifetime // 2
    return Response(200, headers(call), json_body(body))


def mint(
    call: Call, principal: ServicePrincipal, audience: str, lifetime: int, method: str, more: dict[str, Any]
) -> str:
    """A signed token for this service principal with these further claims. Raises StsError for an unknown resource."""
    resource_app_id, version = find_resource(call, audience)
    check_application_assigned(call, principal, audience, resource_app_id)
    claims = _claims(call, principal, version, method, lifetime)
    claims["aud"] = audience if version == "1.0" else resource_app_id
    claims |= more
    call.entry.resource, call.entry.token_id = resource_app_id, claims["uti"]
    roles = app_roles(call.home(), principal, call.replica, call.now, resource_app_id)
    if roles:
        claims["roles"] = roles
    if resource_app_id == GRAPH_APP_ID and (names := roles_of(call.home(), principal)):
        claims["wids"] = [TEMPLATES[name] for name in names]
    return call.world.signing.sign(claims)


def _is_of_this_tenant(call: Call, principal: ServicePrincipal) -> bool:
    """Whether this is an application of its tenant alone, as continuous access evaluation wants of workloads."""
    own = call.world.directory.published(principal.app_id)
    return own is not None and own.tenant_id == principal.tenant_id and not own.shared


def subject(user_id: str, app_id: str) -> str:
    """The claim `sub` of a person at one client, another one at each."""
    return b64url(hashlib.sha256(f"{user_id}|{app_id}".encode()).digest())


def read_key_id(claims: dict[str, Any]) -> str:
    """The key that obtained the token."""
    return str(claims.get("rh", "")).removeprefix("1.")


def is_graph(audience: str, host: str) -> bool:
    """Whether this is one of Graph's names, or this emulator's own address, with or without a slash at the end.

    Sources: learn.microsoft.com/graph/deployments (names); azure-cli 2.91.0 asks for the endpoint it is set to, with two slashes.
    """
    name = audience.rstrip("/").lower()
    return name in GRAPH_NAMES or name == host.lower()


def _claims(call: Call, principal: ServicePrincipal, version: str, method: str, lifetime: int) -> dict[str, Any]:
    now = int(call.local_now)
    tenant = principal.tenant_id
    common = {
        "iat": now - BACKDATED,
        "nbf": now - BACKDATED,
        "exp": now + lifetime,
        "oid": principal.object_id,
        "sub": principal.object_id,
        "tid": tenant,
        "uti": b64url(call.world.rng.getrandbits(128).to_bytes(16, "big")),
        "ver": version,
    }
    if version == "2.0":
        issuer = f"{login_at(call.host)}/{tenant}/v2.0"  # the one that discovery names at this address
        return common | {"iss": issuer, "azp": principal.app_id, "azpacr": method}
    issuer = f"https://sts.windows.net/{tenant}/"
    idp = {"app_displayname": principal.display_name, "idp": issuer, "idtyp": "app"}
    return common | idp | {"iss": issuer, "appid": principal.app_id, "appidacr": method}


def _requested_resource(form: dict[str, str]) -> str:
    """Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (one resource, `.default`)."""
    scope = form.get("scope", "")
    if not scope:
        return form["resource"]
    parts = [
        part for part in scope.split() if part not in OIDC_SCOPES
    ]  # MSAL for Go (its issue 72) and for Java add them to all
    if len(parts) != 1 or not parts[0].endswith("/.default") or parts[0] == "/.default":
        raise StsError(
            70011,
            "The provided request must include a 'scope' input parameter. The provided value for the input parameter "
            f"'scope' is not valid. The scope {scope} is not valid. Client credential flows must have a scope value "
            "with /.default suffixed to the resource identifier (application ID URI).",
        )
    return parts[0].removesuffix("/.default")


def find_resource(call: Call, audience: str) -> tuple[str, str]:
    """The app id of the resource and the version of tokens it wants. Raises StsError 500011."""
    if is_graph(audience, call.host):
        return GRAPH_APP_ID, "1.0"
    if audience.rstrip("/").lower() == TOKEN_EXCHANGE.lower():
        return TOKEN_EXCHANGE_APP_ID, "2.0"
    if audience.lower() == PORTAL_APP_ID:
        return PORTAL_APP_ID, "1.0"
    tenant = call.home()
    lowercase = audience.rstrip("/").lower()
    for candidate in tenant.principals.values():
        own = call.world.directory.published(candidate.app_id)
        uris = own.identifier_uris if own is not None else []
        names = (candidate.app_id, f"api://{candidate.app_id}", *candidate.names, *uris)
        matches = any(lowercase == name.rstrip("/").lower() for name in names)
        if matches and candidate.presence.visible("token", call.replica, call.now):
            return candidate.app_id, "2.0" if own and own.token_version == 2 else "1.0"
    raise unknown_resource(audience, tenant.name)


def bearer_claims(call: Call) -> dict[str, Any] | None:
    """The claims of the bearer token in this request, if this emulator signed it."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return call.world.signing.read(token.strip())
