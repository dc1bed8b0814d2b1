"""Users: list, read, create, change, delete, and what they own.

Sources: https://learn.microsoft.com/graph/api/resources/user (properties, and which of them a read shows unless selected),
.../user-post-users (what a new one needs), .../user-delete (a soft delete).
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Application, User, as_guid, new_guid
from entra_emulator.directory.world import Call
from entra_emulator.graph import security_attributes, user_views, views
from entra_emulator.graph.bodies import json_object, needed_text, only, wrong_type
from entra_emulator.graph.declared import USER, changed_properties
from entra_emulator.graph.errors import bad_request, empty, not_found, same_value, success
from entra_emulator.graph.filters import Field
from entra_emulator.graph.lookup import Key, reference_in, referenced
from entra_emulator.graph.odata import (
    ListRules,
    chosen,
    count,
    entity,
    listed_as,
    page,
    select,
    selected,
)
from entra_emulator.graph.permissions import may_read_users, may_revoke_sessions, may_write_users
from entra_emulator.graph.relations import EXPANDABLE, direct_reports, expanded_relations, manager_of, owned_objects
from entra_emulator.graph.writes import committed_to

_CONTEXT = "users"
_READ_ONLY = frozenset({
    "id", "assignedLicenses", "assignedPlans", "createdDateTime", "creationType", "deletedDateTime", "identities",
    "lastPasswordChangeDateTime", "onPremisesSyncEnabled", "provisionedPlans", "proxyAddresses",
    "signInSessionsValidFromDateTime",
})  # fmt: skip
_RULES = ListRules(orderable=frozenset({"displayName", "userPrincipalName", "createdDateTime"}))
"""Source: https://learn.microsoft.com/graph/api/user-list ($orderby)."""
FIELDS: dict[str, Field[User]] = {
    "id": lambda item: item.object_id,
    "displayName": lambda item: item.display_name,
    "userPrincipalName": lambda item: item.principal_name,
    "mail": lambda item: user_views.user(item)["mail"],
    "accountEnabled": lambda item: item.enabled,
    "createdDateTime": lambda item: item.created_at,
    "givenName": lambda item: user_views.user(item)["givenName"],
    "surname": lambda item: user_views.user(item)["surname"],
    "userType": lambda item: user_views.user(item)["userType"],
    "mailNickname": lambda item: user_views.user(item)["mailNickname"],
    "otherMails": lambda item: user_views.user(item)["otherMails"],
}


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_users(call)
    result = page(call, call.home().users.values(), FIELDS, lambda item: item.object_id, rules=_RULES)
    return listed_as(call, result, expanded_user, _CONTEXT, EXPANDABLE[User])


def _count(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_users(call)
    return count(call, call.home().users.values(), FIELDS, lambda item: item.object_id)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_users(call)
    return success(call, expanded_user(call, find_user(call, keys[0])), f"{_CONTEXT}/$entity")


def expanded_user(call: Call, item: User) -> dict[str, Any]:
    """A user with what $select and $expand of this call ask for."""
    return shown_user(call, item) | expanded_relations(call, item)


def shown_user(call: Call, item: User) -> dict[str, Any]:
    """A user with what $select of this call asks for; the usual properties without it."""
    body = user_views.user(item) | security_attributes.shown(call, item)
    return select(call, body) if selected(call) or call.property_path else chosen(body, user_views.USER_DEFAULT)


def _create(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_write_users(call)
    body, tenant = json_object(call), call.home()
    for name in ("displayName", "mailNickname", "userPrincipalName"):
        needed_text(body, name, 256, "User")
    if not isinstance(body.get("accountEnabled"), bool):
        raise bad_request("A value is required for property 'accountEnabled' of resource 'User'.")
    if not isinstance(profile := body.get("passwordProfile"), dict) or not profile.get("password"):
        raise bad_request("A value is required for property 'passwordProfile' of resource 'User'.")
    user = User(new_guid(call.world.rng), "", "", created_at=call.local_now)
    _change(call, user, body)
    tenant.users[user.object_id] = user
    committed_to(call, user)
    return success(call, chosen(user_views.user(user), user_views.USER_DEFAULT), f"{_CONTEXT}/$entity", 201)


def _update(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_users(call)
    user = find_user(call, keys[0])
    body = json_object(call)
    _change(call, user, body)
    if (body.get("passwordProfile") or {}).get("password"):
        user.password_changed_at = call.local_now
        user.revoke(call.local_now)  # source: https://learn.microsoft.com/entra/identity-platform/refresh-tokens
    committed_to(call, user)
    return empty(call)


def delete(call: Call, keys: tuple[Key, ...]) -> Response:
    """Deletes a user. Raises GraphError 403 or 404."""
    may_write_users(call)
    user = find_user(call, keys[0])
    call.home().delete_user(user, call.local_now)
    committed_to(call, user)
    return empty(call)


def _revoke(call: Call, keys: tuple[Key, ...]) -> Response:
    may_revoke_sessions(call)
    only(json_object(call), frozenset(), "revokeSignInSessions")
    return revoke_sessions(call, find_user(call, keys[0]))


def revoke_sessions(call: Call, user: User) -> Response:
    """Ends all sessions and refresh tokens. Source: https://learn.microsoft.com/graph/api/user-revokesigninsessions."""
    user.revoke(call.local_now)
    committed_to(call, user)
    return success(call, {"value": True}, "Edm.Boolean")


def _change(call: Call, user: User, body: dict[str, Any]) -> None:
    """Applies all members of the body, or none."""
    values: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in body.items():
        match name:
            case "displayName":
                values["display_name"] = needed_text(body, name, 256, "User")
            case "userPrincipalName":
                values["principal_name"] = _free_address(call, user, needed_text(body, name, 256, "User"))
            case "accountEnabled":
                if not isinstance(value, bool):
                    raise wrong_type(name, "Edm.Boolean")
                values["enabled"] = value
                if not value:
                    values["revoked_at"] = call.local_now
            case security_attributes.NAME:
                values["security_attributes"] = security_attributes.changed(call, user, value)
            case _ if name in _READ_ONLY:
                raise bad_request(f"Property '{name}' is read-only and cannot be set.")
            case _:
                rest[name] = value
    properties = changed_properties(USER, user.properties, rest)
    properties.pop("passwordProfile", None)  # write-only
    for field, value in values.items():
        setattr(user, field, value)
    user.properties.update(properties)


def _free_address(call: Call, user: User, address: str) -> str:
    """Source of the rule: https://learn.microsoft.com/graph/api/user-post-users (a verified domain of the tenant)."""
    name, at, domain = address.rpartition("@")
    if not name or not at or domain.lower() not in {item.lower() for item in call.home().domains}:
        raise bad_request("The domain portion of the userPrincipalName property is invalid.")
    taken = any(
        item is not user and item.principal_name.lower() == address.lower() for item in call.home().users.values()
    )
    if taken:
        raise same_value("userPrincipalName")
    return address


def find_user(call: Call, key: Key) -> User:
    """The user of this object id or principal name. Raises GraphError 404."""
    users, name = call.home().users, key[1]
    named = (key for key, item in users.items() if item.principal_name.lower() == name.lower())
    user = users.get(as_guid(name) or name) or users.get(next(named, ""))
    if user is None:
        raise not_found(name[:100])
    return user


def _manager(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_users(call)
    return the_manager(call, find_user(call, keys[0]))


def the_manager(call: Call, user: User) -> Response:
    """The manager of a user. Raises GraphError 404 where there is none: https://learn.microsoft.com/graph/api/user-list-manager."""
    managers = manager_of(call, user)
    if not managers:
        raise not_found("manager")
    return entity(call, views.directory_objects(call, managers, selected(call))[0], "directoryObjects")


def _set_manager(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_users(call)
    user, manager = find_user(call, keys[0]), referenced(call, reference_in(call), "manager")
    user.manager = manager.object_id
    committed_to(call, user)
    return empty(call)


def _remove_manager(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_users(call)
    user = find_user(call, keys[0])
    if not user.manager:
        raise not_found("manager")
    user.manager = ""
    committed_to(call, user)
    return empty(call)


def _reports(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_users(call)
    return views.object_list(call, direct_reports(call, find_user(call, keys[0])))


def _owned(call: Call, keys: tuple[Key, ...]) -> Response:
    return views.object_list(call, owned_objects(call, find_user(call, keys[0])))


def _owned_applications(call: Call, keys: tuple[Key, ...]) -> Response:
    owned = [item for item in owned_objects(call, find_user(call, keys[0])) if isinstance(item, Application)]
    return views.application_list(call, owned)


ROUTES = (
    ("GET", "users", "listUsers", _list),
    ("GET", "users/$count", "countUsers", _count),
    ("GET", "users/{}", "getUser", _get),
    ("POST", "users", "createUser", _create),
    ("PATCH", "users/{}", "updateUser", _update),
    ("DELETE", "users/{}", "deleteUser", delete),
    ("POST", "users/{}/revokeSignInSessions", "revokeSignInSessions", _revoke),
    ("GET", "users/{}/manager", "getManager", _manager),
    ("PUT", "users/{}/manager/$ref", "setManager", _set_manager),
    ("DELETE", "users/{}/manager/$ref", "removeManager", _remove_manager),
    ("GET", "users/{}/directReports", "listDirectReports", _reports),
    ("GET", "users/{}/ownedObjects", "listUserOwnedObjects", _owned),
    ("GET", "users/{}/ownedObjects/application", "listUserOwnedApplications", _owned_applications),
)
