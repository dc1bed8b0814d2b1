"""Any object of the directory by its id: one, or up to a thousand at once.

Source: https://learn.microsoft.com/graph/api/directoryobject-getbyids (1,000 ids, `types`, what is unknown is left out).
"""

from __future__ import annotations

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Application, DirectoryObject, ServicePrincipal, User, as_guid
from entra_emulator.directory.groups import Group
from entra_emulator.directory.roles import DirectoryRole, active_roles
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, only, texts, wrong_type
from entra_emulator.graph.errors import bad_request, not_found, success
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import entity, selected
from entra_emulator.graph.permissions import may_read_objects

_MOST = 1000
_KINDS = {
    "user": User,
    "group": Group,
    "application": Application,
    "serviceprincipal": ServicePrincipal,
    "directoryrole": DirectoryRole,
}
_OTHER_KINDS = frozenset(
    {"device", "administrativeunit", "directoryobject", "directoryobjectpartnerreference", "orgcontact"}
)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_objects(call)
    item = _find(call, keys[0][1])
    if item is None:
        raise not_found(keys[0][1][:100])
    return entity(call, views.directory_objects(call, [item], selected(call))[0], "directoryObjects")


def _find(call: Call, object_id: str) -> DirectoryObject | DirectoryRole | None:
    roles = (role for role in active_roles(call.home()) if role.object_id == object_id)
    return call.home().directory_object(object_id) or next(roles, None)


def _by_ids(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_objects(call)
    body = json_object(call)
    only(body, frozenset({"ids", "types"}), "getByIds")
    ids = [as_guid(item) for item in texts(body, "ids")]
    if len(ids) > _MOST:
        raise bad_request(f"The number of ids may be {_MOST} at most.")
    if None in ids:
        raise wrong_type("ids", "Collection(Edm.Guid)")
    names = {item.lower() for item in texts(body, "types")} if "types" in body else {"directoryobject"}
    unknown = names - _KINDS.keys() - _OTHER_KINDS
    if unknown:
        raise bad_request(f"Invalid resource type '{min(unknown)[:100]}' specified.")
    kinds = (
        tuple(_KINDS.values()) if "directoryobject" in names else tuple(_KINDS[name] for name in names & _KINDS.keys())
    )
    found = [_find(call, item) for item in dict.fromkeys(ids) if item]
    items = [item for item in found if item is not None and isinstance(item, kinds)]
    return success(call, {"value": views.expanded_objects(call, items, selected(call))}, "directoryObjects")


ROUTES = (
    ("GET", "directoryObjects/{}", "getDirectoryObject", _get),
    ("POST", "directoryObjects/getByIds", "getDirectoryObjectsByIds", _by_ids),
)
