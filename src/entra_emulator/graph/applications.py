"""Applications: list, read, create, change, delete."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import AUDIENCES, Application, as_guid, new_guid
from entra_emulator.directory.replicas import object_presence
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_text, texts, wrong_type
from entra_emulator.graph.declared import APPLICATION, check_removal, merged, read
from entra_emulator.graph.errors import GraphError, bad_request, empty, same_value, success
from entra_emulator.graph.filters import Field
from entra_emulator.graph.key_collections import no_passwords, read_keys, replace_keys
from entra_emulator.graph.limits import check_limits
from entra_emulator.graph.lookup import Key, application_by_key, creates_missing, take_bound, the_application
from entra_emulator.graph.odata import Page, count, listed_as, page, select, selected
from entra_emulator.graph.permissions import may_list, may_try, owns_what_it_makes
from entra_emulator.graph.relations import EXPANDABLE, expanded_relations
from entra_emulator.graph.writes import check_quiet, committed

FIELDS: dict[str, Field[Application]] = {
    "id": lambda item: item.object_id,
    "appId": lambda item: item.app_id,
    "displayName": lambda item: item.display_name,
    "signInAudience": lambda item: item.audience,
    "identifierUris": lambda item: item.identifier_uris,
    "createdDateTime": lambda item: item.created_at,
    "uniqueName": lambda item: item.properties.get("uniqueName"),
    "tags": lambda item: list(item.properties.get("tags") or ()),
    "owners/$count": lambda item: float(len(item.owners)),
    "publisherDomain": lambda item: item.properties.get("publisherDomain"),
}
_READ_ONLY = frozenset({
    "id", "appId", "applicationTemplateId", "certification", "createdDateTime", "deletedDateTime", "disabledByMicrosoftStatus",
    "publisherDomain", "verifiedPublisher",
})  # fmt: skip
_BLUEPRINT = "microsoft.graph.agentidentityblueprint"
_URN = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:\S+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    result = _page(call)
    return listed_as(call, result, _shown, _context(call), EXPANDABLE[Application])


def _list_blueprints(call: Call, _keys: tuple[Key, ...]) -> Response:
    """Source: https://learn.microsoft.com/graph/api/resources/agentidentityblueprint (a cast of the list of applications)."""
    may_list(call)
    result = _page(call, blueprints=True)
    return listed_as(call, result, _shown, _context(call), EXPANDABLE[Application])


def _count(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    return count(call, _seen(call), FIELDS, lambda item: item.object_id)


def _page(call: Call, *, blueprints: bool = False) -> Page[Application]:
    applications = [item for item in _seen(call) if item.blueprint or not blueprints]
    return page(call, applications, FIELDS, lambda item: item.object_id)


def _seen(call: Call) -> list[Application]:
    every = call.home().applications.values()
    return [item for item in every if item.presence.visible("graph", call.replica, call.now)]


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    item = the_application(call, keys[0], write=False)
    return success(call, _shown(call, item), f"{_context(call)}/$entity")


def _shown(call: Call, item: Application) -> dict[str, Any]:
    """The application with what $select and $expand of this call ask for."""
    body = select(call, views.application(call, item, with_keys="keyCredentials" in selected(call)))
    return body | expanded_relations(call, item)


def _context(call: Call) -> str:
    names = selected(call)
    return f"applications({','.join(sorted(names))})" if names else "applications"


def _create(call: Call, _keys: tuple[Key, ...]) -> Response:
    return _make(call, json_object(call))


def _create_blueprint(call: Call, _keys: tuple[Key, ...]) -> Response:
    """Source: https://learn.microsoft.com/graph/api/agentidentityblueprint-post."""
    return _make(call, {"@odata.type": _BLUEPRINT} | json_object(call))


def _make(call: Call, body: dict[str, Any]) -> Response:
    may_try(call, write=True)
    name = needed_text(body, "displayName")
    application = new_application(call, name, blueprint=_is_blueprint(body))
    owners = take_bound(call, body, "owners")
    application.owners += [owner for owner in owners if owner not in application.owners]
    _change(call, application, body)
    call.world.directory.add_application(application)
    call.entry.application = application.object_id
    committed(call, application)
    return success(call, views.application(call, application), "applications/$entity", 201)


def new_application(call: Call, name: str, *, blueprint: bool = False) -> Application:
    """An application that the caller makes, which is not in the directory yet."""
    rng = call.world.rng
    return Application(
        object_id=new_guid(rng),
        app_id=new_guid(rng),
        tenant_id=call.home().id,
        display_name=name,
        created_at=call.local_now,
        presence=object_presence(call.now, call.settings, rng),
        owners=[call.caller_oid] if owns_what_it_makes(call) else [],
        blueprint=blueprint,
    )


def _update(call: Call, keys: tuple[Key, ...]) -> Response:
    if creates_missing(call) and keys[0][0] == "uniquename" and application_by_key(call, keys[0]) is None:
        return _make(call, json_object(call) | {"uniqueName": keys[0][1]})
    application = the_application(call, keys[0], write=True)
    check_quiet(call, application)
    body = json_object(call)
    if "passwordCredentials" in body:
        raise no_passwords()
    _change(call, application, body)
    committed(call, application)
    return empty(call)


def delete(call: Call, keys: tuple[Key, ...]) -> Response:
    """Deletes an application. Raises GraphError 403 or 404."""
    application = the_application(call, keys[0], write=True)
    check_quiet(call, application)
    call.world.directory.soft_delete(application, call.local_now)
    committed(call, application)
    return empty(call)


def _is_blueprint(body: dict[str, Any]) -> bool:
    """Source: https://learn.microsoft.com/graph/api/agentidentityblueprint-post (the type in the body, in any case)."""
    kind = str(body.get("@odata.type", "microsoft.graph.application")).lstrip("#").lower()
    if kind not in {"microsoft.graph.application", _BLUEPRINT}:
        raise bad_request(f"A type named '{kind[:100]}' could not be resolved by the model.")
    return kind == _BLUEPRINT


def _change(call: Call, application: Application, body: dict[str, Any]) -> None:
    """Applies all members of the body, or none: everything is read before anything is changed."""
    changes: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, value in body.items():
        if name.startswith("@odata.") or (name == "passwordCredentials" and not value):
            continue
        rule = APPLICATION.get(name)
        if rule is not None:
            properties[name] = merged(rule, application.properties.get(name), read(rule, name, value))
            if name == "uniqueName":
                _check_unique_name(call, application, properties[name])
        else:
            changes |= _declared(call, application, body, name)
    check_limits(
        changes.get("display_name", application.display_name),
        changes.get("audience", application.audience),
        changes.get("identifier_uris", application.identifier_uris),
        {**application.properties, **properties},
    )
    check_removal(application.properties, properties)
    check_removal(application.properties.get("api") or {}, properties.get("api") or {})
    if "requestedAccessTokenVersion" in (body.get("api") or {}):
        changes["token_version"] = properties["api"]["requestedAccessTokenVersion"]
    new_keys = changes.pop("keys", None)
    for name, value in changes.items():
        setattr(application, name, value)
    application.properties.update(properties)
    _hand_on(call, application, properties)
    if new_keys is not None:
        replace_keys(call, application, new_keys)


def _check_unique_name(call: Call, application: Application, name: str | None) -> None:
    """An alternate key, which is given once: https://learn.microsoft.com/graph/api/resources/application."""
    before = application.properties.get("uniqueName")
    if before is not None and name != before:
        raise bad_request("Property 'uniqueName' is immutable and cannot be changed.")
    other = application_by_key(call, ("uniquename", name)) if name else None
    if other is not None and other is not application:
        raise same_value("uniqueName")


def _hand_on(call: Call, application: Application, properties: dict[str, Any]) -> None:
    """Roles and scopes that the application declares anew take the place of those that were set on its principals. Assumed."""
    names = {"appRoles"} & properties.keys()
    if "oauth2PermissionScopes" in (properties.get("api") or ()):
        names.add("oauth2PermissionScopes")
    directory = call.world.directory
    homes = directory.tenants.values() if names else ()
    for principal in filter(None, (directory.principal(tenant, application.app_id) for tenant in homes)):
        for name in names:
            principal.properties.pop(name, None)


def _declared(call: Call, application: Application, body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body[name]
    match name:
        case "displayName":
            return {"display_name": needed_text(body, name)}
        case "signInAudience":
            if not isinstance(value, str) or value not in AUDIENCES:
                raise bad_request(f"Invalid value specified for property '{name}' of resource 'Application'.")
            return {"audience": value}
        case "identifierUris":
            return {"identifier_uris": _free_uris(call, application, texts(body, name))}
        case "isDisabled":
            return {"disabled": _flag(name, value)}
        case "keyCredentials":
            return {"keys": read_keys(call, application, value)}
        case "id" if as_guid(value) == application.object_id:
            return {}
    raise _not_settable(name)


def _not_settable(name: str) -> GraphError:
    if name == "passwordCredentials":
        return no_passwords()
    if name in _READ_ONLY:
        return bad_request(f"Property '{name}' is read-only and cannot be set.")
    return bad_request(f"Property '{name[:100]}' does not exist as a declared property or extension property.")


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool | None):
        raise wrong_type(name, "Edm.Boolean")
    return bool(value)


def _free_uris(call: Call, application: Application, uris: list[str]) -> list[str]:
    uris_in_use = {
        uri for item in call.home().applications.values() if item is not application for uri in item.identifier_uris
    }
    for uri in uris:
        _check_uri(call, uri)
    if uris_in_use & set(uris):
        raise same_value("identifierUris")
    return uris


def _check_uri(call: Call, uri: str) -> None:
    """An identifier URI: a URN, or a URI of a scheme of one's own, or https below a verified domain of the tenant.

    Source: https://learn.microsoft.com/entra/identity-platform/reference-app-manifest (identifierUris).
    """
    if _URN.fullmatch(uri):
        return
    try:
        parts = urlsplit(uri)
        host = (parts.hostname or "").lower()
    except ValueError:
        parts, host = None, ""
    if parts is None or not _SCHEME.fullmatch(parts.scheme) or not host or " " in uri:
        raise bad_request("Invalid value specified for property 'identifierUris' of resource 'Application'.")
    domains = [name.lower() for name in call.home().domains]
    if parts.scheme in {"http", "https"} and not any(host == name or host.endswith(f".{name}") for name in domains):
        raise GraphError(
            400,
            "HostNameNotOnVerifiedDomain",
            "Values of identifierUris property must use a verified domain of the organization or its subdomain: "
            f"'{uri[:300]}'",
        )


ROUTES = (
    ("GET", "applications", "listApplications", _list),
    ("GET", "applications/$count", "countApplications", _count),
    ("GET", "applications/agentIdentityBlueprint", "listAgentIdentityBlueprints", _list_blueprints),
    ("GET", "applications/{}", "getApplication", _get),
    ("POST", "applications", "createApplication", _create),
    ("POST", "applications/agentIdentityBlueprint", "createApplication", _create_blueprint),
    ("PATCH", "applications/{}", "updateApplication", _update),
    ("DELETE", "applications/{}", "deleteApplication", delete),
)
