"""Applications in the tenant's deleted items."""

from __future__ import annotations

from entra_emulator import views
from entra_emulator.directory import Application
from entra_emulator.graph_errors import empty, not_found, success
from entra_emulator.lookup import Key
from entra_emulator.permissions import may_list, may_touch, may_try
from entra_emulator.wire import Response
from entra_emulator.world import Call
from entra_emulator.writes import committed


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_list(call)
    value = [views.application(call, item) for item in call.home().deleted.values()]
    return success(call, {"value": value}, "applications")


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    item = _one(call, keys[0], write=False)
    body = {"@odata.type": "#microsoft.graph.application", **views.application(call, item)}
    return success(call, body, "directoryObjects/$entity")


def _purge(call: Call, keys: tuple[Key, ...]) -> Response:
    item = _one(call, keys[0], write=True)
    del call.home().deleted[item.object_id]
    committed(call, item)
    return empty(call)


def _restore(call: Call, keys: tuple[Key, ...]) -> Response:
    item = _one(call, keys[0], write=True)
    call.world.directory.restore(item)
    committed(call, item)
    body = {"@odata.type": "#microsoft.graph.application", **views.application(call, item)}
    return success(call, body, "directoryObjects/$entity")


def _one(call: Call, key: Key, *, write: bool) -> Application:
    may_try(call, write=write)
    item = call.home().deleted.get(key[1])
    if item is None:
        raise not_found(key[1][:100])
    call.entry.application = item.object_id
    may_touch(call, item, write=write)
    return item


ROUTES = (
    ("GET", "directory/deletedItems/application", "listDeletedApplications", _list),
    ("GET", "directory/deletedItems/{}", "getDeletedItem", _get),
    ("DELETE", "directory/deletedItems/{}", "purgeDeletedItem", _purge),
    ("POST", "directory/deletedItems/{}/restore", "restoreDeletedItem", _restore),
)
