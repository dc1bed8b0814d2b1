"""Grants of delegated permissions: what is consented to, by whom, for everyone or for one user.

Sources: https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant and .../oauth2permissiongrant-post. azure-cli
2.91.0 (`az ad app permission grant`) changes the one that is there, or makes one.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import User, new_guid
from entra_emulator.directory.grants import Consent
from entra_emulator.directory.replicas import object_presence
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_guid, needed_text, only_members, text_or_none
from entra_emulator.graph.errors import GraphError, bad_request, empty, not_found, success
from entra_emulator.graph.filters import Field
from entra_emulator.graph.lookup import Key, the_principal
from entra_emulator.graph.me import signed_in
from entra_emulator.graph.odata import collection, entity, listed_as, page, select
from entra_emulator.graph.permissions import may_read_grants, may_write_grants
from entra_emulator.graph.users import find_user
from entra_emulator.graph.writes import note_change

_CONTEXT = "oauth2PermissionGrants"
_MEMBERS = frozenset({"id", "clientId", "consentType", "principalId", "resourceId", "scope", "startTime", "expiryTime"})
"""The two times are of beta, where they must be sent and mean nothing."""
_FIELDS: dict[str, Field[dict[str, Any]]] = {
    name: (lambda row, name=name: row[name])  # type: ignore[misc]
    for name in ("id", "clientId", "consentType", "principalId", "resourceId", "scope")
}


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_grants(call)
    result = page(call, _rows(call), _FIELDS, lambda row: str(row["id"]))
    return listed_as(call, result, select, _CONTEXT)


def _of_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_grants(call)
    principal = the_principal(call, keys[0], write=False)
    value = [row for row in _rows(call) if row["clientId"] == principal.object_id]
    return collection(call, value, _CONTEXT)


def _of_user(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_grants(call)
    return _given_by(call, find_user(call, keys[0]))


def _mine(call: Call, _keys: tuple[Key, ...]) -> Response:
    user = signed_in(call)
    may_read_grants(call)
    return _given_by(call, user)


def _given_by(call: Call, user: User) -> Response:
    return collection(call, [row for row in _rows(call) if row["principalId"] == user.object_id], _CONTEXT)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_grants(call)
    return entity(call, views.consent(_one(call, keys[0]), call.home()), _CONTEXT)


def _rows(call: Call) -> list[dict[str, Any]]:
    tenant = call.home()
    visible = [item for item in tenant.consents.values() if item.presence.visible("graph", call.replica, call.now)]
    return [views.consent(item, tenant) for item in visible]


def _create(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_write_grants(call)
    body, tenant, rng = json_object(call), call.home(), call.world.rng
    only_members(body, _MEMBERS, "microsoft.graph.oAuth2PermissionGrant")
    client, resource = (tenant.principals.get(needed_guid(body, name)) for name in ("clientId", "resourceId"))
    if client is None or resource is None:
        raise not_found(str(body["clientId"] if client is None else body["resourceId"])[:100])
    kind, user = needed_text(body, "consentType"), text_or_none(body, "principalId")
    if kind not in {"AllPrincipals", "Principal"} or (kind == "Principal") != (user is not None):
        raise bad_request("Invalid value specified for property 'principalId' of resource 'OAuth2PermissionGrant'.")
    if user is not None and user not in tenant.users:
        raise not_found(user[:100])
    scopes, same = _scopes(body), (client.app_id, resource.app_id, user)
    if any((item.app_id, item.resource_app_id, item.user_id) == same for item in tenant.consents.values()):
        raise GraphError(409, "Request_MultipleObjectsWithSameKeyValue", "Permission entry already exists.")
    presence = object_presence(call.now, call.settings, rng)
    consent = Consent(new_guid(rng), client.app_id, resource.app_id, user, scopes, presence)
    tenant.consents[consent.id] = consent
    note_change(call, client.object_id, client.display_name, "ServicePrincipal")
    return success(call, views.consent(consent, tenant), f"{_CONTEXT}/$entity", 201)


def _update(call: Call, keys: tuple[Key, ...]) -> Response:
    """Only the scopes change: https://learn.microsoft.com/graph/api/oauth2permissiongrant-update."""
    may_write_grants(call)
    consent, body = _one(call, keys[0]), json_object(call)
    only_members(body, frozenset({"scope"}), "microsoft.graph.oAuth2PermissionGrant")
    consent.scopes = _scopes(body)
    _noted(call, consent)
    return empty(call)


def _delete(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_grants(call)
    consent = _one(call, keys[0])
    del call.home().consents[consent.id]
    _noted(call, consent)
    return empty(call)


def _noted(call: Call, consent: Consent) -> None:
    client = call.home().principal_of(consent.app_id)
    note_change(call, client.object_id if client else "", client.display_name if client else "", "ServicePrincipal")


def _scopes(body: dict[str, Any]) -> set[str]:
    return set((text_or_none(body, "scope", 3850) or "").split())


def _one(call: Call, key: Key) -> Consent:
    consent = call.home().consents.get(key[1])
    if consent is None:
        raise not_found(key[1][:100])
    return consent


ROUTES = (
    ("GET", "oauth2PermissionGrants", "listPermissionGrants", _list),
    ("GET", "oauth2PermissionGrants/{}", "getPermissionGrant", _get),
    ("POST", "oauth2PermissionGrants", "createPermissionGrant", _create),
    ("PATCH", "oauth2PermissionGrants/{}", "updatePermissionGrant", _update),
    ("DELETE", "oauth2PermissionGrants/{}", "deletePermissionGrant", _delete),
    ("GET", "users/{}/oauth2PermissionGrants", "listPermissionGrantsOfUser", _of_user),
    ("GET", "me/oauth2PermissionGrants", "listPermissionGrantsOfUser", _mine),
    ("GET", "servicePrincipals/{}/oauth2PermissionGrants", "listPermissionGrantsOfPrincipal", _of_principal),
)
