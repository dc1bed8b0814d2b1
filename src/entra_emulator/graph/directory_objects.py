"""Any object of the directory by its id: one, or up to a thousand at once.

Source: https://learn.microsoft.com/graph/api/directoryobject-getbyids (1,000 ids, `types`, what is unknown is left out).
"""

from __future__ import annotations

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Application, DirectoryObject, ServicePrincipal, User, as_guid
from entra_emulator.directory.groups import Group
from entra_emulator.directory.roles import DirectoryRole, active_roles
from entra_emulator.directory.world import Call
from entra_emulator.graph import applications, groups, principals, users, views
from entra_emulator.graph.bodies import json_object, needed_text, only, text_or_none, texts, wrong_type
from entra_emulator.graph.errors import bad_request, empty, not_found, success
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import entity, selected
from entra_emulator.graph.permissions import may_read_groups, may_read_objects

_MOST = 1000
_DELETES = {
    User: users.delete,
    Group: groups.delete,
    Application: applications.delete,
    ServicePrincipal: principals.delete,
}
_VALIDATED = frozenset({"entityType", "displayName", "mailNickname", "onBehalfOfUserId"})
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
    unknown = names - views.OBJECT_KINDS.keys() - _OTHER_KINDS
    if unknown:
        raise bad_request(f"Invalid resource type '{min(unknown)[:100]}' specified.")
    kinds = (
        tuple(views.OBJECT_KINDS.values())
        if "directoryobject" in names
        else tuple(views.OBJECT_KINDS[name] for name in names & views.OBJECT_KINDS.keys())
    )
    found = [_find(call, item) for item in dict.fromkeys(ids) if item]
    items = [item for item in found if item is not None and isinstance(item, kinds)]
    return success(call, {"value": views.expanded_objects(call, items, selected(call))}, "directoryObjects")


def _delete(call: Call, keys: tuple[Key, ...]) -> Response:
    """Source: https://learn.microsoft.com/graph/api/directoryobject-delete (with the permissions that each kind needs)."""
    item = call.home().directory_object(keys[0][1])
    if item is None:
        raise not_found(keys[0][1][:100])
    return _DELETES[type(item)](call, keys)


def _validate(call: Call, _keys: tuple[Key, ...]) -> Response:
    """A tenant without a naming policy takes any name. Source: https://learn.microsoft.com/graph/api/directoryobject-validateproperties."""
    may_read_groups(call)
    body = json_object(call)
    only(body, _VALIDATED, "validateProperties")
    if needed_text(body, "entityType", resource="Group") != "Group":
        raise bad_request("Invalid value specified for property 'entityType' of resource 'Group'.")
    names = [text_or_none(body, name, 256, "Group") for name in ("displayName", "mailNickname")]
    if not any(names):
        raise bad_request("A value is required for property 'displayName' of resource 'Group'.")
    return empty(call)


ROUTES = (
    ("DELETE", "directoryObjects/{}", "deleteDirectoryObject", _delete),
    ("POST", "directoryObjects/validateProperties", "validateProperties", _validate),
    ("GET", "directoryObjects/{}", "getDirectoryObject", _get),
    ("POST", "directoryObjects/getByIds", "getDirectoryObjectsByIds", _by_ids),
)
