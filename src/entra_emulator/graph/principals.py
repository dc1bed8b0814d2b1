"""Service principals: list, read, create, delete, what they own and what they may do."""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Application, ServicePrincipal, as_guid, new_guid
from entra_emulator.directory.replicas import object_presence
from entra_emulator.directory.world import Call
from entra_emulator.graph import security_attributes, views
from entra_emulator.graph.bodies import json_object, needed_guid, needed_text, texts, wrong_type
from entra_emulator.graph.declared import PRINCIPAL, check_removal, merged, read
from entra_emulator.graph.errors import GraphError, bad_request, empty, not_found, success
from entra_emulator.graph.filters import Field
from entra_emulator.graph.key_collections import no_passwords, read_keys, replace_keys
from entra_emulator.graph.lookup import Key, creates_missing, principal_by_key, take_bound, the_principal
from entra_emulator.graph.odata import Page, count, listed_as, page, select
from entra_emulator.graph.permissions import may_list, may_try, owns_what_it_makes
from entra_emulator.graph.relations import EXPANDABLE, expanded_relations, owned_objects
from entra_emulator.graph.writes import check_quiet, committed

_FIELDS: dict[str, Field[ServicePrincipal]] = {
    "id": lambda item: item.object_id,
    "appId": lambda item: item.app_id,
    "displayName": lambda item: item.display_name,
    "createdDateTime": lambda item: item.created_at,
    "servicePrincipalNames": lambda item: [item.app_id, *item.names],
    "servicePrincipalType": lambda item: item.service_principal_type,
    "accountEnabled": lambda item: item.enabled,
    "tags": lambda item: list(item.properties.get("tags") or ()),
}
_CONTEXT = "servicePrincipals"
_READ_ONLY = frozenset({
    "id", "appDescription", "appDisplayName", "appId", "appOwnerOrganizationId", "applicationTemplateId", "createdDateTime",
    "deletedDateTime", "disabledByMicrosoftStatus", "signInAudience", "verifiedPublisher",
})  # fmt: skip


def _fields(call: Call) -> dict[str, Field[ServicePrincipal]]:
    """What $filter and $orderby know, with what stands at the application."""
    return _FIELDS | {"appOwnerOrganizationId": lambda item: views.owner_tenant(call, item)}


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    return listed_as(call, _page(call), _shown, _CONTEXT, EXPANDABLE[ServicePrincipal])


def _list_of_blueprints(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    return listed_as(call, _page(call, blueprints=True), _shown, _CONTEXT, EXPANDABLE[ServicePrincipal])


def _count(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    return count(call, _seen(call), _fields(call), lambda item: item.object_id)


def _page(call: Call, *, blueprints: bool = False) -> Page[ServicePrincipal]:
    principals = [item for item in _seen(call) if not blueprints or _of_blueprint(call, item.app_id)]
    return page(call, principals, _fields(call), lambda item: item.object_id)


def _seen(call: Call) -> list[ServicePrincipal]:
    every = call.home().principals.values()
    return [item for item in every if item.presence.visible("graph", call.replica, call.now)]


def _of_blueprint(call: Call, app_id: str) -> bool:
    own = call.world.directory.published(app_id)
    return own is not None and own.blueprint


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    item = the_principal(call, keys[0], write=False)
    return success(call, _shown(call, item), f"{_CONTEXT}/$entity")


def _shown(call: Call, item: ServicePrincipal) -> dict[str, Any]:
    """The service principal with what $select and $expand of this call ask for."""
    body = select(call, views.principal(call, item) | security_attributes.shown(call, item))
    return body | expanded_relations(call, item)


def _create(call: Call, _keys: tuple[Key, ...]) -> Response:
    return _make(call, json_object(call))


def _create_of_blueprint(call: Call, _keys: tuple[Key, ...]) -> Response:
    """Source: https://learn.microsoft.com/graph/api/agentidentityblueprintprincipal-post. That others are refused is assumed."""
    body = json_object(call)
    if not _of_blueprint(call, needed_guid(body, "appId")):
        raise bad_request("The appId of the service principal does not reference an agent identity blueprint.")
    return _make(call, body)


def _make(call: Call, body: dict[str, Any]) -> Response:
    may_try(call, write=True)
    app_id = needed_guid(body, "appId")
    directory, tenant = call.world.directory, call.home()
    application = directory.application(app_id)
    if application is None or not application.presence.visible("graph", call.replica, call.now):
        # Source of the text, also right after the application was made: terraform-provider-azuread f0169e0 and
        # vault-plugin-secrets-azure 81fae24 (createSP) match it and try again.
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
    principal = new_principal(call, application)
    owners = take_bound(call, body, "owners")
    principal.owners += [owner for owner in owners if owner not in principal.owners]
    _change(call, principal, {name: value for name, value in body.items() if name != "appId"})
    directory.add_principal(principal)
    call.entry.application = application.object_id
    committed(call, principal)
    return success(call, views.principal(call, principal), f"{_CONTEXT}/$entity", 201)


def new_principal(call: Call, application: Application) -> ServicePrincipal:
    """The service principal of an application that the caller makes, which is not in the directory yet."""
    return ServicePrincipal(
        object_id=new_guid(call.world.rng),
        app_id=application.app_id,
        tenant_id=call.home().id,
        display_name=application.display_name,
        created_at=call.local_now,
        presence=object_presence(call.now, call.settings, call.world.rng),
        owners=[call.caller_oid] if owns_what_it_makes(call) else [],
        names=list(application.identifier_uris),
    )


def _update(call: Call, keys: tuple[Key, ...]) -> Response:
    if creates_missing(call) and keys[0][0] == "appid" and principal_by_key(call, keys[0]) is None:
        return _make(call, json_object(call) | {"appId": keys[0][1]})
    principal = the_principal(call, keys[0], write=True)
    check_quiet(call, principal)
    _change(call, principal, json_object(call))
    committed(call, principal)
    return empty(call)


def _change(call: Call, principal: ServicePrincipal, body: dict[str, Any]) -> None:
    """Applies all members of the body, or none: everything is read before anything is changed."""
    changes: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, value in body.items():
        if name.startswith("@odata.") or (name == "passwordCredentials" and not value):
            continue
        rule = PRINCIPAL.get(name)
        if rule is not None:
            properties[name] = merged(rule, principal.properties.get(name), read(rule, name, value))
        else:
            changes |= _declared(call, principal, body, name)
    check_removal(principal.properties, properties)
    new_keys = changes.pop("keys", None)
    for name, value in changes.items():
        setattr(principal, name, value)
    principal.properties.update(properties)
    if new_keys is not None:
        replace_keys(call, principal, new_keys)


def _declared(call: Call, principal: ServicePrincipal, body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body[name]
    match name:
        case "accountEnabled":
            if not isinstance(value, bool):
                raise wrong_type(name, "Edm.Boolean")
            return {"enabled": True} if value else {"enabled": False, "revoked_at": call.local_now}
        case "displayName":
            return {"display_name": needed_text(body, name, 256, "ServicePrincipal")}
        case security_attributes.NAME:
            return {"security_attributes": security_attributes.changed(call, principal, value)}
        case "servicePrincipalNames":
            return {"names": [text for text in texts(body, name) if text != principal.app_id]}
        case "servicePrincipalType":
            return {"service_principal_type": needed_text(body, name, 100, "ServicePrincipal")}
        case "keyCredentials":
            return {"keys": read_keys(call, principal, value)}
        case "id" if as_guid(value) == principal.object_id:
            return {}
    raise _not_settable(name)


def _not_settable(name: str) -> GraphError:
    if name == "passwordCredentials":
        return no_passwords()
    if name in _READ_ONLY:
        return bad_request(f"Property '{name}' is read-only and cannot be set.")
    return bad_request(f"Property '{name[:100]}' does not exist as a declared property or extension property.")


def delete(call: Call, keys: tuple[Key, ...]) -> Response:
    """Deletes a service principal. Raises GraphError 403 or 404."""
    principal = the_principal(call, keys[0], write=True)
    check_quiet(call, principal)
    call.world.directory.soft_delete_principal(principal, call.local_now)
    committed(call, principal)
    return empty(call)


def _owned(call: Call, keys: tuple[Key, ...]) -> Response:
    return views.object_list(call, _what_it_owns(call, keys[0]))


def _owned_applications(call: Call, keys: tuple[Key, ...]) -> Response:
    owned = [item for item in _what_it_owns(call, keys[0]) if isinstance(item, Application)]
    return views.application_list(call, owned)


def _what_it_owns(call: Call, key: Key) -> list[Application | ServicePrincipal]:
    may_try(call, write=False)
    principal = principal_by_key(call, key)
    if principal is None:
        raise not_found(key[1][:100])
    return owned_objects(call, principal)


ROUTES = (
    ("GET", "servicePrincipals", "listServicePrincipals", _list),
    ("GET", "servicePrincipals/$count", "countServicePrincipals", _count),
    ("GET", "servicePrincipals/{}", "getServicePrincipal", _get),
    ("POST", "servicePrincipals", "createServicePrincipal", _create),
    ("POST", "servicePrincipals/agentIdentityBlueprintPrincipal", "createServicePrincipal", _create_of_blueprint),
    ("GET", "servicePrincipals/agentIdentityBlueprintPrincipal", "listServicePrincipals", _list_of_blueprints),
    ("PATCH", "servicePrincipals/{}", "updateServicePrincipal", _update),
    ("DELETE", "servicePrincipals/{}", "deleteServicePrincipal", delete),
    ("GET", "servicePrincipals/{}/ownedObjects", "listOwnedObjects", _owned),
    ("GET", "servicePrincipals/{}/ownedObjects/application", "listOwnedApplications", _owned_applications),
)
