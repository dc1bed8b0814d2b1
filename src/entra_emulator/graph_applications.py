"""Applications: list, read, create, change, delete."""

from __future__ import annotations

import base64
from typing import Any

from entra_emulator import views
from entra_emulator.bodies import json_object, needed_guid, needed_text, text_or_none, texts, time_or, wrong_type
from entra_emulator.clock import graph_time
from entra_emulator.credentials import make_key, remove_credential
from entra_emulator.directory import AUDIENCES, PERSONAL_AUDIENCES, Application, KeyCredential, as_guid, new_guid
from entra_emulator.graph_errors import GraphError, bad_request, empty, plain, success
from entra_emulator.lookup import Key, the_application
from entra_emulator.odata import Field, Page, eventual, expanded, page, select, selected
from entra_emulator.permissions import may_list, may_try, owns_what_it_makes
from entra_emulator.redirects import PLATFORMS, redirects
from entra_emulator.replicas import object_presence
from entra_emulator.restrictions import check_certificate, check_size
from entra_emulator.wire import Response
from entra_emulator.world import Call
from entra_emulator.writes import check_quiet, committed

FIELDS: dict[str, Field[Application]] = {
    "id": lambda item: item.object_id,
    "appId": lambda item: item.app_id,
    "displayName": lambda item: item.display_name,
    "signInAudience": lambda item: item.audience,
    "identifierUris": lambda item: item.identifier_uris,
    "createdDateTime": lambda item: graph_time(item.created_at),
    "uniqueName": lambda item: item.properties.get("uniqueName"),
    "publisherDomain": lambda item: item.properties.get("publisherDomain"),
}
_OBJECTS = frozenset({"web", "spa", "publicClient"})
_LISTS = frozenset({"requiredResourceAccess", "appRoles"})
_TEXTS = frozenset({"description", "notes", "uniqueName", "groupMembershipClaims"})
_READ_ONLY = frozenset({"id", "appId", "createdDateTime", "deletedDateTime", "publisherDomain"})


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    found = _page(call)
    value = [_shown(call, item) for item in found.items]
    body: dict[str, Any] = {"value": value}
    if found.count is not None:
        body = {"@odata.count": found.count, **body}
    if found.next_link:
        body = {"@odata.nextLink": found.next_link, **body}
    return success(call, body, _context(call))


def _count(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    if not eventual(call):
        raise bad_request("$count is not currently supported.")
    found = _page(call, counting=True)
    return plain(call, str(found.count))


def _page(call: Call, *, counting: bool = False) -> Page[Application]:
    seen = [item for item in call.home().applications.values() if item.presence.seen("graph", call.replica, call.now)]
    return page(call, seen, FIELDS, lambda item: item.object_id, counting=counting)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    item = the_application(call, keys[0], write=False)
    return success(call, _shown(call, item), f"{_context(call)}/$entity")


def _shown(call: Call, item: Application) -> dict[str, Any]:
    """The application with what $select and $expand of this call ask for."""
    body = select(call, views.application(call, item, with_keys="keyCredentials" in selected(call)))
    if expanded(call):
        body = {**body, "owners": views.directory_objects(call, call.home().owners_of(item))}
    return body


def _context(call: Call) -> str:
    names = selected(call)
    return f"applications({','.join(sorted(names))})" if names else "applications"


def _create(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_try(call, write=True)
    body = json_object(call)
    name = needed_text(body, "displayName")
    rng, tenant = call.world.rng, call.home()
    application = Application(
        object_id=new_guid(rng),
        app_id=new_guid(rng),
        tenant_id=tenant.id,
        display_name=name,
        created_at=call.local_now,
        presence=object_presence(call.now, call.settings, rng),
        owners=[call.caller_oid] if owns_what_it_makes(call) else [],
    )
    _change(call, application, body)
    call.world.directory.add_application(application)
    call.entry.application = application.object_id
    committed(call, application)
    return success(call, views.application(call, application), "applications/$entity", 201)


def _update(call: Call, keys: tuple[Key, ...]) -> Response:
    application = the_application(call, keys[0], write=True)
    check_quiet(call, application)
    body = json_object(call)
    if "passwordCredentials" in body:
        raise _no_passwords()
    _change(call, application, body)
    committed(call, application)
    return empty(call)


def _delete(call: Call, keys: tuple[Key, ...]) -> Response:
    application = the_application(call, keys[0], write=True)
    check_quiet(call, application)
    call.world.directory.bury(application, call.local_now)
    committed(call, application)
    return empty(call)


def _change(call: Call, application: Application, body: dict[str, Any]) -> None:
    """Applies all members of the body, or none: everything is read before anything is changed."""
    changes: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, value in body.items():
        if name.startswith("@odata.") or (name == "passwordCredentials" and not value):
            continue
        if name in _TEXTS:
            properties[name] = text_or_none(body, name)
        elif name in _OBJECTS or name in _LISTS:
            properties[name] = _structured(name, value)
        elif name == "tags":
            properties[name] = texts(body, name)
        else:
            changes |= _declared(call, application, body, name)
    _check_name(changes.get("display_name", application.display_name), changes.get("audience", application.audience))
    new_keys = changes.pop("keys", None)
    for name, value in changes.items():
        setattr(application, name, value)
    application.properties.update(properties)
    if new_keys is not None:
        _replace_keys(call, application, new_keys)


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
        case "api":
            return {"token_version": _token_version(value)}
        case "keyCredentials":
            return {"keys": _read_keys(call, application, value)}
    raise _not_settable(name)


def _not_settable(name: str) -> GraphError:
    if name == "passwordCredentials":
        return _no_passwords()
    if name in _READ_ONLY:
        return bad_request(f"Property '{name}' is read-only and cannot be set.")
    return bad_request(f"Property '{name[:100]}' does not exist as a declared property or extension property.")


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool | None):
        raise wrong_type(name, "Edm.Boolean")
    return bool(value)


def _check_name(name: str, audience: str) -> None:
    limit = 90 if audience in PERSONAL_AUDIENCES else 120
    if len(name) > limit:
        raise bad_request("Invalid value specified for property 'displayName' of resource 'Application'.")


def _structured(name: str, value: Any) -> Any:
    if name in _LISTS:
        if not isinstance(value, list):
            raise wrong_type(name, "Collection")
        return [_required_access(item) for item in value] if name == "requiredResourceAccess" else value
    if not isinstance(value, dict) or not isinstance(value.get("implicitGrantSettings"), dict | None):
        raise wrong_type(name, "ComplexType")
    if name in PLATFORMS and value.get("redirectUris") is not None:
        return {**value, **_redirects(name, value["redirectUris"])}
    return value


def _redirects(platform: str, uris: Any) -> dict[str, Any]:
    try:
        return redirects(platform, uris if isinstance(uris, list) else [uris])
    except ValueError as error:
        raise bad_request(f"Invalid value specified for property '{platform}' of resource 'Application'.") from error


def _required_access(item: Any) -> dict[str, Any]:
    """Each entry names a resource and the permissions asked of it."""
    access = item.get("resourceAccess") if isinstance(item, dict) else None
    if not isinstance(access, list) or not all(_named_access(one) for one in access):
        raise wrong_type("requiredResourceAccess", "Collection(microsoft.graph.requiredResourceAccess)")
    resource = needed_guid(item, "resourceAppId")
    return {"resourceAppId": resource, "resourceAccess": [{"id": one["id"], "type": one["type"]} for one in access]}


def _named_access(item: Any) -> bool:
    return isinstance(item, dict) and as_guid(item.get("id")) is not None and item.get("type") in ("Role", "Scope")


def _token_version(value: Any) -> int | None:
    if not isinstance(value, dict):
        raise wrong_type("api", "microsoft.graph.apiApplication")
    version = value.get("requestedAccessTokenVersion")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version not in {1, 2}):
        raise wrong_type("requestedAccessTokenVersion", "Edm.Int32")
    return version


def _free_uris(call: Call, application: Application, uris: list[str]) -> list[str]:
    taken = {
        uri for item in call.home().applications.values() if item is not application for uri in item.identifier_uris
    }
    if taken & set(uris):
        raise GraphError(
            400,
            "Request_MultipleObjectsWithSameKeyValue",
            "Another object with the same value for property identifierUris already exists.",
        )
    return uris


def _read_keys(call: Call, application: Application, value: Any) -> list[KeyCredential]:
    """The whole new collection: entries of the old one are named by their keyId and sent without bytes."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise wrong_type("keyCredentials", "Collection(microsoft.graph.keyCredential)")
    known = {item.key_id: item for item in application.keys_held()}
    found = []
    for item in value:
        old = known.get(as_guid(item.get("keyId")) or "")
        found.append(old if old is not None else _new_key(call, application, item))
    if len(found) > len(known):
        check_size(call.settings, application, extra=len(found) - len(known))
    return found


def _new_key(call: Call, application: Application, item: dict[str, Any]) -> KeyCredential:
    text = item.get("key")
    try:
        data = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        new = make_key(data, text_or_none(item, "displayName"), None, None, call.now, call.settings, call.world.rng)
    except ValueError as error:
        raise bad_request("Key credential is invalid: its 'key' is not a certificate.") from error
    new.start = time_or(item, "startDateTime", new.start)
    new.end = time_or(item, "endDateTime", new.end)
    if new.end <= new.start:
        raise bad_request("Key credential end date is invalid.")
    check_certificate(call.home(), application, new.start, new.end)
    return new


def _replace_keys(call: Call, application: Application, wanted: list[KeyCredential]) -> None:
    kept = {item.key_id for item in wanted}
    for item in application.keys_held():
        if item.key_id not in kept:
            remove_credential(item, call.now, call.settings, call.world.rng)
    present = {item.key_id for item in application.keys}
    application.keys += [item for item in wanted if item.key_id not in present]
    application.forget_gone(call.now)


def _no_passwords() -> GraphError:
    return bad_request("New password credentials must be generated with service actions.")


ROUTES = (
    ("GET", "applications", "listApplications", _list),
    ("GET", "applications/$count", "countApplications", _count),
    ("GET", "applications/{}", "getApplication", _get),
    ("POST", "applications", "createApplication", _create),
    ("PATCH", "applications/{}", "updateApplication", _update),
    ("DELETE", "applications/{}", "deleteApplication", _delete),
)
