"""Service principals: list, read, create, delete, what they own and what they may do."""

from __future__ import annotations

from typing import Any

from entra_emulator import views
from entra_emulator.bodies import json_object, needed_guid
from entra_emulator.clock import graph_time
from entra_emulator.directory import Application, ServicePrincipal, new_guid
from entra_emulator.graph_errors import GraphError, bad_request, denied, empty, not_found, success
from entra_emulator.lookup import Key, principal_by_key, the_principal
from entra_emulator.odata import Field, page, select
from entra_emulator.permissions import WRITE_OWNED, may_list, may_read_owned, may_try, owns_what_it_makes
from entra_emulator.replicas import object_presence
from entra_emulator.wire import Response
from entra_emulator.world import Call
from entra_emulator.writes import check_quiet, committed

_FIELDS: dict[str, Field[ServicePrincipal]] = {
    "id": lambda item: item.object_id,
    "appId": lambda item: item.app_id,
    "displayName": lambda item: item.display_name,
    "createdDateTime": lambda item: graph_time(item.created_at),
    "servicePrincipalNames": lambda item: [item.app_id, *item.names],
    "servicePrincipalType": lambda item: item.service_principal_type,
    "accountEnabled": lambda item: item.enabled,
}
_CONTEXT = "servicePrincipals"


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    seen = [item for item in call.home().principals.values() if item.presence.seen("graph", call.replica, call.now)]
    found = page(call, seen, _FIELDS, lambda item: item.object_id)
    body: dict[str, Any] = {"value": [select(call, views.principal(call, item)) for item in found.items]}
    if found.count is not None:
        body = {"@odata.count": found.count, **body}
    if found.next_link:
        body = {"@odata.nextLink": found.next_link, **body}
    return success(call, body, _CONTEXT)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    item = the_principal(call, keys[0], write=False)
    return success(call, select(call, views.principal(call, item)), f"{_CONTEXT}/$entity")


def _create(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_try(call, write=True)
    app_id = needed_guid(json_object(call), "appId")
    directory, tenant, rng = call.world.directory, call.home(), call.world.rng
    application = directory.application(app_id)
    if application is None or not application.presence.seen("graph", call.replica, call.now):
        raise bad_request(
            f"The appId '{app_id}' of the service principal does not reference a valid application object."
        )
    if application.tenant_id != tenant.id and application.audience == "AzureADMyOrg":
        raise GraphError(
            403,
            "Authorization_RequestDenied",
            "When using this permission, the backing application of the service principal being created must in the "
            "local tenant",
        )
    if directory.principal(tenant, app_id) is not None:
        raise GraphError(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            f"The service principal cannot be created because the service principal name {app_id} is already in use.",
        )
    principal = ServicePrincipal(
        object_id=new_guid(rng),
        app_id=app_id,
        tenant_id=tenant.id,
        display_name=application.display_name,
        created_at=call.local_now,
        presence=object_presence(call.now, call.settings, rng),
        owners=[call.caller_oid] if owns_what_it_makes(call) else [],
        names=list(application.identifier_uris),
    )
    directory.add_principal(principal)
    call.entry.application = application.object_id
    committed(call, principal)
    return success(call, views.principal(call, principal), f"{_CONTEXT}/$entity", 201)


def _delete(call: Call, keys: tuple[Key, ...]) -> Response:
    principal = the_principal(call, keys[0], write=True)
    check_quiet(call, principal)
    call.world.directory.remove_principal(principal)
    committed(call, principal)
    return empty(call)


def _owned(call: Call, keys: tuple[Key, ...]) -> Response:
    return success(call, {"value": views.directory_objects(call, _what_it_owns(call, keys[0]))}, "directoryObjects")


def _owned_applications(call: Call, keys: tuple[Key, ...]) -> Response:
    owned = [item for item in _what_it_owns(call, keys[0]) if isinstance(item, Application)]
    return success(call, {"value": [select(call, views.application(call, item)) for item in owned]}, "applications")


def _what_it_owns(call: Call, key: Key) -> list[Application | ServicePrincipal]:
    may_try(call, write=False)
    principal = principal_by_key(call, key)
    if principal is None:
        raise not_found(key[1][:100])
    may_read_owned(call, principal.object_id)
    tenant = call.home()
    candidates: list[Application | ServicePrincipal] = [*tenant.applications.values(), *tenant.principals.values()]
    return [
        item
        for item in candidates
        if principal.object_id in item.owners and item.presence.seen("graph", call.replica, call.now)
    ]


def _grants(call: Call, keys: tuple[Key, ...]) -> Response:
    may_try(call, write=False)
    principal = principal_by_key(call, keys[0])
    if principal is None:
        raise not_found(keys[0][1][:100])
    if call.roles == {WRITE_OWNED} and principal.object_id != call.caller_oid:
        raise denied()
    value = views.grants(principal, call.home(), call.replica, call.now)
    return success(call, {"value": value}, "servicePrincipals/appRoleAssignments")


ROUTES = (
    ("GET", "servicePrincipals", "listServicePrincipals", _list),
    ("GET", "servicePrincipals/{}", "getServicePrincipal", _get),
    ("POST", "servicePrincipals", "createServicePrincipal", _create),
    ("DELETE", "servicePrincipals/{}", "deleteServicePrincipal", _delete),
    ("GET", "servicePrincipals/{}/ownedObjects", "listOwnedObjects", _owned),
    ("GET", "servicePrincipals/{}/ownedObjects/application", "listOwnedApplications", _owned_applications),
    ("GET", "servicePrincipals/{}/appRoleAssignments", "listAppRoleAssignments", _grants),
)
