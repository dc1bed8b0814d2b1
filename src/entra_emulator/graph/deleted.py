"""The tenant's deleted items, for thirty days: each is restored, or removed for good, by itself.

Source: https://learn.microsoft.com/graph/api/resources/directory (deletedItems), .../directory-deleteditems-restore.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Application, DirectoryObject, ServicePrincipal, Tenant, User
from entra_emulator.directory.groups import Group
from entra_emulator.directory.world import Call
from entra_emulator.graph import user_views, views
from entra_emulator.graph.bodies import json_object, only
from entra_emulator.graph.errors import GraphError, empty, not_found, success
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import collection, entity
from entra_emulator.graph.permissions import (
    may_list,
    may_read_groups,
    may_read_users,
    may_touch,
    may_try,
    may_write_groups,
    may_write_users,
)
from entra_emulator.graph.writes import committed, committed_to


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    _expire(call)
    return collection(call, [views.application(call, item) for item in call.home().deleted.values()], "applications")


def _list_principals(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    _expire(call)
    return collection(
        call, [views.principal(call, item) for item in call.home().deleted_principals.values()], "servicePrincipals"
    )


def _list_users(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_users(call)
    _expire(call)
    return collection(call, [user_views.user(item) for item in call.home().deleted_users.values()], "users")


def _list_groups(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    _expire(call)
    return collection(call, [views.group(item) for item in call.home().deleted_groups.values()], "groups")


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    return entity(call, _shown(call, _one(call, keys[0], write=False)), "directoryObjects")


def _purge(call: Call, keys: tuple[Key, ...]) -> Response:
    item = _one(call, keys[0], write=True)
    _delete_for_good(call, _KINDS[type(item)], item.object_id)
    _noted(call, item)
    return empty(call)


def _restore(call: Call, keys: tuple[Key, ...]) -> Response:
    only(json_object(call), frozenset(), "restore")
    item, directory, tenant = _one(call, keys[0], write=True), call.world.directory, call.home()
    try:
        if isinstance(item, Application):
            directory.restore(item)
        elif isinstance(item, ServicePrincipal):
            directory.restore_principal(item)
    except ValueError as error:
        raise GraphError(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            "Another object with the same value for property appId already exists.",
        ) from error
    if isinstance(item, User):
        tenant.users[item.object_id] = tenant.deleted_users.pop(item.object_id)
    if isinstance(item, Group):
        tenant.groups[item.object_id] = tenant.deleted_groups.pop(item.object_id)
    item.deleted_at = None
    _noted(call, item)
    return success(call, _shown(call, item), "directoryObjects/$entity")


def _noted(call: Call, item: DirectoryObject) -> None:
    if isinstance(item, (Application, ServicePrincipal)):
        committed(call, item)
    else:
        committed_to(call, item)


def _shown(call: Call, item: DirectoryObject) -> dict[str, Any]:
    return views.directory_objects(call, [item])[0]


def _expire(call: Call) -> None:
    """Deletes for good what has been here for too long."""
    for kind, table in _tables(call.home()).items():
        over = [
            key
            for key, item in table.items()
            if item.deleted_at is not None and call.local_now >= item.deleted_at + call.settings.deleted_retention
        ]
        for object_id in over:
            _delete_for_good(call, kind, object_id)


def _delete_for_good(call: Call, kind: str, object_id: str) -> None:
    tenant = call.home()
    del _tables(tenant)[kind][object_id]
    tenant.purged[object_id] = (kind, call.now)


def _tables(tenant: Tenant) -> dict[str, dict[str, Any]]:
    return {
        "applications": tenant.deleted,
        "servicePrincipals": tenant.deleted_principals,
        "users": tenant.deleted_users,
        "groups": tenant.deleted_groups,
    }


def _one(call: Call, key: Key, *, write: bool) -> DirectoryObject:
    _expire(call)
    tenant = call.home()
    person = tenant.deleted_users.get(key[1])
    if person is not None:
        (may_write_users if write else may_read_users)(call)
        return person
    group = tenant.deleted_groups.get(key[1])
    if group is not None:
        (may_write_groups if write else may_read_groups)(call)
        return group
    may_try(call, write=write)
    item = tenant.deleted.get(key[1]) or tenant.deleted_principals.get(key[1])
    if item is None:
        raise not_found(key[1][:100])
    call.entry.application = item.object_id if isinstance(item, Application) else ""
    may_touch(call, item, write=write)
    return item


_KINDS: dict[type, str] = {
    Application: "applications",
    ServicePrincipal: "servicePrincipals",
    User: "users",
    Group: "groups",
}
ROUTES = (
    ("GET", "directory/deletedItems/application", "listDeletedApplications", _list),
    ("GET", "directory/deletedItems/servicePrincipal", "listDeletedServicePrincipals", _list_principals),
    ("GET", "directory/deletedItems/user", "listDeletedUsers", _list_users),
    ("GET", "directory/deletedItems/group", "listDeletedGroups", _list_groups),
    ("GET", "directory/deletedItems/{}", "getDeletedItem", _get),
    ("DELETE", "directory/deletedItems/{}", "purgeDeletedItem", _purge),
    ("POST", "directory/deletedItems/{}/restore", "restoreDeletedItem", _restore),
)
