"""Sign-ins as Graph shows them: of people in v1.0, of service principals and with the credential that was used in beta.

Sources: https://learn.microsoft.com/graph/api/signin-list (1,000 in a page, the newest first; $top, $skiptoken, $filter) and
.../resources/signin (properties, what $filter knows, and that only interactive ones come without a filter on signInEventTypes).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from entra_emulator.core.clock import graph_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import ServicePrincipal, Tenant
from entra_emulator.directory.sign_in_log import SignIn
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import not_found, unsupported_query
from entra_emulator.graph.filters import Field
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import ListRules, entity, listed_as, page, select
from entra_emulator.graph.reports import may_read_logs

_RULES = ListRules(1000, 1000, frozenset({"createdDateTime"}), plain_order=True, order="createdDateTime")
_OPTIONS = frozenset({"$filter", "$top", "$skiptoken", "$orderby", "$select"})
_INTERACTIVE = "interactiveUser"
# Source of the texts: https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
_REASONS = {
    "7000112": "The application is disabled.",
    "7000215": "Invalid client secret is provided.",
    "7000222": "The provided client secret keys are expired.",
    "700027": "Client assertion failed signature validation.",
    "700024": "Client assertion is not within its valid time range.",
    "500011": "The resource principal was not found in the tenant.",
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A sign-in beside what the tenant knows of its client and its resource."""

    sign_in: SignIn
    client: ServicePrincipal
    resource: ServicePrincipal | None
    user_name: str
    user_address: str


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_logs(call)
    parameters, beta = call.parameters(), _is_beta(call)
    unknown = next((name for name in parameters if name.startswith("$") and name not in _OPTIONS), None)
    if unknown is not None:
        raise unsupported_query(f"The query option '{unknown[:50]}' is not supported.")
    fields = _BETA_FIELDS if beta else _FIELDS
    every = beta and "signineventtypes" in parameters.get("$filter", "").lower()
    rows = [row for row in _rows(call) if every or row.sign_in.event_type == _INTERACTIVE]
    result = page(call, rows, fields, lambda row: f"{_id(row)}{row.sign_in.copy}", rules=_RULES)
    return listed_as(call, result, lambda of, row: select(of, _shown(of, row)), "auditLogs/signIns")


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_logs(call)
    row = next((row for row in _rows(call) if _id(row) == keys[0][1]), None)
    if row is None or (row.sign_in.event_type != _INTERACTIVE and not _is_beta(call)):
        raise not_found(keys[0][1][:100])
    return entity(call, _shown(call, row), "auditLogs/signIns")


def _is_beta(call: Call) -> bool:
    return call.path.lstrip("/").lower().startswith("beta/")


def _rows(call: Call) -> Iterator[_Row]:
    """Sign-ins to an application that the tenant does not know leave no trace in it; of deleted principals they stay."""
    tenant, world = call.home(), call.world
    principals = _by_app_id(tenant)
    for sign_in in world.sign_ins.visible(world.ledger, tenant.id, call.settings, call.now):
        entry = sign_in.entry
        client = principals.get(entry.caller)
        if client is not None:
            user = tenant.users.get(entry.user)
            name, address = (user.display_name, user.principal_name) if user else ("", "")
            yield _Row(sign_in, client, principals.get(entry.resource), name, address)


def _by_app_id(tenant: Tenant) -> dict[str, ServicePrincipal]:
    deleted = {item.app_id: item for item in tenant.deleted_principals.values()}
    return deleted | {item.app_id: item for item in tenant.principals.values()}


def _id(row: _Row) -> str:
    return row.sign_in.entry.request_id


def _shown(call: Call, row: _Row) -> dict[str, Any]:
    entry, resource = row.sign_in.entry, row.resource
    body: dict[str, Any] = {
        "id": entry.request_id,
        "createdDateTime": graph_time(entry.at),
        "userDisplayName": row.user_name,
        "userPrincipalName": row.user_address,
        "userId": entry.user,
        "appId": entry.caller,
        "appDisplayName": row.client.display_name,
        "ipAddress": entry.address,
        "clientAppUsed": "Browser" if entry.user else "",
        "correlationId": entry.correlation_id or entry.request_id,
        "conditionalAccessStatus": "notApplied",
        "isInteractive": row.sign_in.event_type == _INTERACTIVE,
        "riskDetail": "none",
        "riskLevelAggregated": "none",
        "riskLevelDuringSignIn": "none",
        "riskState": "none",
        "riskEventTypes": [],
        "riskEventTypes_v2": [],
        "resourceDisplayName": resource.display_name if resource else "",
        "resourceId": entry.resource,
        "status": {
            "errorCode": int(entry.outcome),
            "failureReason": "" if entry.outcome == "0" else _REASONS.get(entry.outcome, "Other."),
            "additionalDetails": None,
        },
        "deviceDetail": None,
        "location": None,
        "appliedConditionalAccessPolicies": [],
    }
    return body | _in_beta(call, row) if _is_beta(call) else body


def _in_beta(call: Call, row: _Row) -> dict[str, Any]:
    entry = row.sign_in.entry
    alone = not entry.user
    federated = entry.credential_type == "federatedIdentityCredential"
    token = base64.b64encode(entry.token_id.encode()).decode()
    return {
        "servicePrincipalId": row.client.object_id if alone else "",
        "servicePrincipalName": row.client.display_name if alone else "",
        "servicePrincipalCredentialKeyId": entry.presented_key_id if alone and not federated else "",
        "servicePrincipalCredentialThumbprint": _thumbprint(call, row) if alone else "",
        "federatedCredentialId": entry.presented_key_id if federated else "",
        "clientCredentialType": entry.credential_type or "none",
        "signInEventTypes": [row.sign_in.event_type],
        "uniqueTokenIdentifier": token,
        "resourceTenantId": call.home().id,
        "resourceServicePrincipalId": row.resource.object_id if row.resource else "",
        "homeTenantId": call.home().id if entry.user else "",
        "crossTenantAccessType": "none",
        "authenticationProtocol": "none" if alone else "oAuth2",
        "incomingTokenType": "refreshToken" if row.sign_in.event_type == "nonInteractiveUser" else "none",
        "tokenIssuerType": "AzureAD",
        "userAgent": entry.user_agent,
        "userType": "member" if entry.user else None,
    }


def _thumbprint(call: Call, row: _Row) -> str:
    application = call.world.directory.published(row.client.app_id)
    keys = [*row.client.keys, *(application.keys if application else ())]
    wanted = row.sign_in.entry.presented_key_id
    return next((item.sha1.hex().upper() for item in keys if item.key_id == wanted), "")


_FIELDS: Mapping[str, Field[_Row]] = {
    "id": lambda row: row.sign_in.entry.request_id,
    "createdDateTime": lambda row: row.sign_in.entry.at,
    "appId": lambda row: row.sign_in.entry.caller,
    "appDisplayName": lambda row: row.client.display_name,
    "userId": lambda row: row.sign_in.entry.user,
    "userDisplayName": lambda row: row.user_name,
    "userPrincipalName": lambda row: row.user_address,
    "ipAddress": lambda row: row.sign_in.entry.address,
    "resourceId": lambda row: row.sign_in.entry.resource,
    "resourceDisplayName": lambda row: row.resource.display_name if row.resource else "",
    "correlationId": lambda row: row.sign_in.entry.correlation_id or row.sign_in.entry.request_id,
    "status/errorCode": lambda row: float(row.sign_in.entry.outcome),
}
_BETA_FIELDS: Mapping[str, Field[_Row]] = {
    **_FIELDS,
    "signInEventTypes": lambda row: [row.sign_in.event_type],
    "servicePrincipalId": lambda row: row.client.object_id if not row.sign_in.entry.user else "",
    "servicePrincipalName": lambda row: row.client.display_name if not row.sign_in.entry.user else "",
}
"""What the page of the resource says that $filter knows. Of the key of a credential it says nothing: that is refused."""
ROUTES = (
    ("GET", "auditLogs/signIns", "listSignIns", _list),
    ("GET", "auditLogs/signIns/{}", "getSignIn", _get),
)
