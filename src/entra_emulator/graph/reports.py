"""Who may read logs and reports, and the reports of when a credential or a service principal was last used.

Sources: https://learn.microsoft.com/graph/api/reportroot-list-appcredentialsigninactivities and
.../reportroot-list-serviceprincipalsigninactivities (beta only). Assumed: that a credential which was never used, or is gone, has
no row, and how many rows a page has.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

from entra_emulator.core.clock import graph_time, parse_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Application, Holder, KeyCredential, PasswordCredential
from entra_emulator.directory.roles import READ_REPORTS
from entra_emulator.directory.sign_in_log import SignIn
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import GraphError, not_found
from entra_emulator.graph.filters import Field
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import ListRules, entity, listed, page
from entra_emulator.graph.permissions import AUDIT_READ, DIRECTORY_READ, permissions_held

_ACTIVITY = "signInActivity"
_LAST = f"{_ACTIVITY}/lastSignInDateTime"
_RULES = ListRules(orderable=frozenset({_LAST, "appId", "keyId", "expirationDateTime"}), plain_order=True)


def may_read_logs(call: Call, *, wider: bool = False) -> None:
    """Needs AuditLog.Read.All (`wider`: or Directory.Read.All), a role of the user, if there is one, and a licence of the tenant.

    Sources: https://github.com/microsoftgraph/microsoft-graph-explorer-v4/issues/2731 (the permission),
    https://github.com/turbot/steampipe-plugin-azuread/issues/98 (the licence). Raises GraphError 403.
    """
    sufficient = {AUDIT_READ, DIRECTORY_READ} if wider else {AUDIT_READ}
    if not sufficient & permissions_held(call):
        raise GraphError(
            403,
            "Authentication_MSGraphPermissionMissing",
            f"Calling principal does not have required MSGraph permissions {AUDIT_READ}",
        )
    if call.user is not None and not READ_REPORTS & call.directory_roles:
        raise GraphError(403, "Authentication_RequestFromUnsupportedUserRole", "User is not in the allowed roles")
    if not call.settings.premium:
        raise GraphError(
            403,
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
            "Neither tenant is B2C or tenant doesn't have premium license",
        )


def _credentials(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_logs(call, wider=True)
    return _paged(call, _credential_rows(call), _CREDENTIAL_FIELDS, "appCredentialSignInActivities")


def _credential(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_logs(call, wider=True)
    return _one(call, _credential_rows(call), keys[0][1], "appCredentialSignInActivities")


def _principals(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_logs(call, wider=True)
    return _paged(call, _principal_rows(call), _PRINCIPAL_FIELDS, "servicePrincipalSignInActivities")


def _principal(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_logs(call, wider=True)
    return _one(call, _principal_rows(call), keys[0][1], "servicePrincipalSignInActivities")


def _paged(
    call: Call, rows: Iterable[dict[str, Any]], fields: dict[str, Field[dict[str, Any]]], context: str
) -> Response:
    result = page(call, rows, fields, lambda row: str(row["id"]), rules=_RULES)
    return listed(call, result, result.items, f"reports/{context}")


def _one(call: Call, rows: Iterable[dict[str, Any]], row_id: str, context: str) -> Response:
    row = next((row for row in rows if row["id"] == row_id), None)
    if row is None:
        raise not_found(row_id[:100])
    return entity(call, row, f"reports/{context}")


def _summarized(call: Call) -> Iterator[SignIn]:
    world = call.world
    return world.sign_ins.summarized(world.ledger, call.home().id, call.settings, call.now)


def _credential_rows(call: Call) -> Iterator[dict[str, Any]]:
    """One row for each credential that was used, also to sign in people: by all flows."""
    last: dict[str, SignIn] = {}
    for sign_in in _summarized(call):
        last[sign_in.entry.presented_key_id] = sign_in
    tenant = call.home()
    app_ids = {sign_in.entry.caller for sign_in in last.values()}
    for app_id in sorted(app_ids):
        application, principal = call.world.directory.published(app_id), tenant.principal_of(app_id)
        holders = [holder for holder in (application, principal) if holder is not None]
        for holder in holders:
            for item in holder.credentials_held():
                if item.key_id in last:
                    yield _credential_row(call, holder, item, last[item.key_id])


def _credential_row(
    call: Call, holder: Holder, item: PasswordCredential | KeyCredential, last: SignIn
) -> dict[str, Any]:
    tenant, application = call.home(), call.world.directory.published(holder.app_id)
    principal, resource = tenant.principal_of(holder.app_id), tenant.principal_of(last.entry.resource)
    origin = "application" if isinstance(holder, Application) else "servicePrincipal"
    return {
        "id": base64.b64encode(f"{item.key_id}|{origin}".encode()).decode(),
        "keyId": item.key_id,
        "keyType": "clientSecret" if isinstance(item, PasswordCredential) else "certificate",
        "keyUsage": "verify",
        "appId": holder.app_id,
        "appObjectId": application.object_id if application else None,
        "servicePrincipalObjectId": principal.object_id if principal else None,
        "resourceId": resource.object_id if resource else None,
        "credentialOrigin": origin,
        "createdDateTime": graph_time(item.start),
        "expirationDateTime": graph_time(item.end),
        _ACTIVITY: _activity(last),
    }


def _principal_rows(call: Call) -> Iterator[dict[str, Any]]:
    """One row for each app id that was client or resource of a sign-in."""
    uses: dict[str, dict[str, SignIn]] = {}
    for sign_in in _summarized(call):
        context = "delegated" if sign_in.entry.user else "applicationAuthentication"
        uses.setdefault(sign_in.entry.caller, {})[f"{context}ClientSignInActivity"] = sign_in
        uses.setdefault(sign_in.entry.resource, {})[f"{context}ResourceSignInActivity"] = sign_in
    for app_id in sorted(uses):
        row: dict[str, Any] = {"id": base64.b64encode(app_id.encode()).decode(), "appId": app_id}
        for context in ("delegated", "applicationAuthentication"):
            for side in ("Client", "Resource"):
                name = f"{context}{side}SignInActivity"
                row[name] = _activity(uses[app_id][name]) if name in uses[app_id] else None
        yield row | {"lastSignInActivity": _activity(max(uses[app_id].values(), key=lambda item: item.entry.at))}


def _activity(sign_in: SignIn) -> dict[str, Any]:
    return {
        "lastSignInDateTime": graph_time(sign_in.entry.at),
        "lastSignInRequestId": sign_in.entry.request_id,
    }


_CREDENTIAL_FIELDS: dict[str, Field[dict[str, Any]]] = {
    "id": lambda row: str(row["id"]),
    "keyId": lambda row: str(row["keyId"]),
    "appId": lambda row: str(row["appId"]),
    "expirationDateTime": lambda row: parse_time(row["expirationDateTime"]),
    _LAST: lambda row: parse_time(row[_ACTIVITY]["lastSignInDateTime"]),
}
_PRINCIPAL_FIELDS: dict[str, Field[dict[str, Any]]] = {
    "id": lambda row: str(row["id"]),
    "appId": lambda row: str(row["appId"]),
    "lastSignInActivity/lastSignInDateTime": lambda row: parse_time(row["lastSignInActivity"]["lastSignInDateTime"]),
}
BETA_ROUTES = (
    ("GET", "reports/appCredentialSignInActivities", "listAppCredentialSignInActivities", _credentials),
    ("GET", "reports/appCredentialSignInActivities/{}", "getAppCredentialSignInActivity", _credential),
    ("GET", "reports/servicePrincipalSignInActivities", "listServicePrincipalSignInActivities", _principals),
    ("GET", "reports/servicePrincipalSignInActivities/{}", "getServicePrincipalSignInActivity", _principal),
)
