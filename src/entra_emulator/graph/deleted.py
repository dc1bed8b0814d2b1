"""Applications and service principals in the tenant's deleted items: each is restored, or removed for good, by itself.

Source: https://learn.microsoft.com/graph/api/resources/directory (deletedItems), .../directory-deleteditems-restore.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Application, ServicePrincipal
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.errors import GraphError, empty, not_found, success
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.permissions import may_list, may_touch, may_try
from entra_emulator.graph.writes import committed


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    value = [views.application(call, item) for item in call.home().deleted.values()]
    return success(call, {"value": value}, "applications")


def _list_principals(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    value = [views.principal(call, item) for item in call.home().deleted_principals.values()]
    return success(call, {"value": value}, "servicePrincipals")


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    return success(call, _shown(call, _one(call, keys[0], write=False)), "directoryObjects/$entity")


def _purge(call: Call, keys: tuple[Key, ...]) -> Response:
    item, tenant = _one(call, keys[0], write=True), call.home()
    if isinstance(item, Application):
        del tenant.deleted[item.object_id]
    else:
        del tenant.deleted_principals[item.object_id]
    committed(call, item)
    return empty(call)


def _restore(call: Call, keys: tuple[Key, ...]) -> Response:
    item, directory = _one(call, keys[0], write=True), call.world.directory
    try:
        directory.restore(item) if isinstance(item, Application) else directory.restore_principal(item)
    except ValueError as error:
        raise GraphError(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            "Another object with the same value for property appId already exists.",
        ) from error
    committed(call, item)
    return success(call, _shown(call, item), "directoryObjects/$entity")


def _shown(call: Call, item: Application | ServicePrincipal) -> dict[str, Any]:
    return views.directory_objects(call, [item])[0]


def _one(call: Call, key: Key, *, write: bool) -> Application | ServicePrincipal:
    may_try(call, write=write)
    tenant = call.home()
    item = tenant.deleted.get(key[1]) or tenant.deleted_principals.get(key[1])
    if item is None:
        raise not_found(key[1][:100])
    call.entry.application = item.object_id if isinstance(item, Application) else ""
    may_touch(call, item, write=write)
    return item


ROUTES = (
    ("GET", "directory/deletedItems/application", "listDeletedApplications", _list),
    ("GET", "directory/deletedItems/servicePrincipal", "listDeletedServicePrincipals", _list_principals),
    ("GET", "directory/deletedItems/{}", "getDeletedItem", _get),
    ("DELETE", "directory/deletedItems/{}", "purgeDeletedItem", _purge),
    ("POST", "directory/deletedItems/{}/restore", "restoreDeletedItem", _restore),
)
