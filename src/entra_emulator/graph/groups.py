"""Groups, their members and owners.

Sources: learn.microsoft.com/graph/api/resources/group, .../group-post-groups (what a new one needs), .../group-post-members
(twenty in one PATCH, $ref for one), .../group-delete (a Microsoft 365 group can be restored, no other).
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import new_guid
from entra_emulator.directory.groups import Group
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_text, wrong_type
from entra_emulator.graph.declared import GROUP, changed_properties
from entra_emulator.graph.errors import bad_request, empty, not_found, same_value, success
from entra_emulator.graph.filters import Field
from entra_emulator.graph.lookup import Key, creates_missing, reference_in, referenced, take_bound
from entra_emulator.graph.odata import count, listed_as, page, select
from entra_emulator.graph.permissions import may_read_groups, may_write_groups, may_write_members
from entra_emulator.graph.relations import (
    EXPANDABLE,
    all_members_of,
    expanded_relations,
    members_of,
    owners_of_group,
)
from entra_emulator.graph.writes import committed_membership, committed_to

_CONTEXT = "groups"
_READ_ONLY = frozenset({"id", "createdDateTime", "deletedDateTime", "renewedDateTime", "mail"})
_FIELDS: dict[str, Field[Group]] = {
    "id": lambda item: item.object_id,
    "displayName": lambda item: item.display_name,
    "mailNickname": lambda item: item.mail_nickname,
    "mailEnabled": lambda item: item.mail_enabled,
    "securityEnabled": lambda item: item.security_enabled,
    "createdDateTime": lambda item: item.created_at,
    "description": lambda item: item.properties.get("description"),
    "groupTypes": lambda item: list(item.properties.get("groupTypes") or ()),
}


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    result = page(call, call.home().groups.values(), _FIELDS, lambda item: item.object_id)
    return listed_as(call, result, _shown, _CONTEXT, EXPANDABLE[Group])


def _shown(call: Call, item: Group) -> dict[str, Any]:
    """The group with what $select and $expand of this call ask for."""
    return select(call, views.group(item)) | expanded_relations(call, item)


def _count(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    return count(call, call.home().groups.values(), _FIELDS, lambda item: item.object_id)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    return success(call, _shown(call, find_group(call, keys[0])), f"{_CONTEXT}/$entity")


def _create(call: Call, _keys: tuple[Key, ...]) -> Response:
    return _make(call, json_object(call))


def _make(call: Call, body: dict[str, Any]) -> Response:
    may_write_groups(call)
    for name in ("displayName", "mailNickname"):
        needed_text(body, name, 256, "Group")
    for name in ("mailEnabled", "securityEnabled"):
        if not isinstance(body.get(name), bool):
            raise bad_request(f"A value is required for property '{name}' of resource 'Group'.")
    group = Group(new_guid(call.world.rng), "", "", call.local_now, owners=[call.caller_oid] if call.user else [])
    owners, members = (take_bound(call, body, name) for name in ("owners", "members"))
    _check_unique_name(call, group, body)
    _change(group, body)
    group.owners += [item for item in owners if item not in group.owners]
    group.members += members
    call.home().groups[group.object_id] = group
    committed_to(call, group)
    return success(call, views.group(group), f"{_CONTEXT}/$entity", 201)


def _update(call: Call, keys: tuple[Key, ...]) -> Response:
    body = json_object(call)
    if creates_missing(call) and keys[0][0] == "uniquename" and _by_key(call, keys[0]) is None:
        return _make(call, body | {"uniqueName": keys[0][1]})
    if "members@odata.bind" in body:
        may_write_members(call)
    if body.keys() != {"members@odata.bind"}:
        may_write_groups(call)
    group = find_group(call, keys[0])
    members = take_bound(call, body, "members")
    _check_new(group.members, members, "members")
    if body.get("isAssignableToRole", was_assignable := group.properties.get("isAssignableToRole")) != was_assignable:
        raise bad_request("Property 'isAssignableToRole' is immutable and cannot be changed.")
    _check_unique_name(call, group, body)
    _change(group, body)
    group.set_members([*group.members, *members], call.now)
    committed_to(call, group)
    return empty(call)


def delete(call: Call, keys: tuple[Key, ...]) -> Response:
    """Deletes a group. Raises GraphError 403 or 404."""
    may_write_groups(call)
    group, tenant = find_group(call, keys[0]), call.home()
    del tenant.groups[group.object_id]
    if group.unified:
        group.deleted_at = call.local_now
        tenant.deleted_groups[group.object_id] = group
    else:
        tenant.purged[group.object_id] = ("groups", call.now)
    committed_to(call, group)
    return empty(call)


def _change(group: Group, body: dict[str, Any]) -> None:
    """Applies all members of the body, or none."""
    values: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    texts = {"displayName": "display_name", "mailNickname": "mail_nickname"}
    flags = {"mailEnabled": "mail_enabled", "securityEnabled": "security_enabled"}
    for name, value in body.items():
        if name in texts:
            values[texts[name]] = needed_text(body, name, 256, "Group")
        elif name in flags:
            if not isinstance(value, bool):
                raise wrong_type(name, "Edm.Boolean")
            values[flags[name]] = value
        elif name in _READ_ONLY:
            raise bad_request(f"Property '{name}' is read-only and cannot be set.")
        else:
            rest[name] = value
    properties = changed_properties(GROUP, group.properties, rest)
    for field, value in values.items():
        setattr(group, field, value)
    group.properties.update(properties)


def _check_new(present: list[str], added: list[str], name: str) -> None:
    if set(present) & set(added):
        raise bad_request(
            f"One or more added object references already exist for the following modified properties: '{name}'."
        )


def _check_unique_name(call: Call, group: Group, body: dict[str, Any]) -> None:
    """An alternate key, which is given once: https://learn.microsoft.com/graph/api/resources/group."""
    before = group.properties.get("uniqueName")
    name = body.get("uniqueName", before)
    if before is not None and name != before:
        raise bad_request("Property 'uniqueName' is immutable and cannot be changed.")
    other = _by_key(call, ("uniquename", name)) if name is not None else None
    if other is not None and other is not group:
        raise same_value("uniqueName")


def _by_key(call: Call, key: Key) -> Group | None:
    groups, (kind, value) = call.home().groups, key
    if kind == "uniquename":
        value = next((each for each, item in groups.items() if item.properties.get("uniqueName") == value), "")
    return groups.get(value)


def find_group(call: Call, key: Key) -> Group:
    """The group of this object id or unique name. Raises GraphError 404."""
    group = _by_key(call, key)
    if group is None:
        raise not_found(key[1][:100])
    return group


def _members(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    return views.object_list(call, members_of(call, find_group(call, keys[0])))


def _all_members(call: Call, keys: tuple[Key, ...]) -> Response:
    """Members of members, too."""
    may_read_groups(call)
    return views.object_list(call, all_members_of(call, find_group(call, keys[0])))


def _owners(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    return views.object_list(call, owners_of_group(call, find_group(call, keys[0])))


def _add_member(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_members(call)
    return _add(call, keys[0], "members")


def _add_owner(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_groups(call)
    return _add(call, keys[0], "owners")


def _add(call: Call, key: Key, name: str) -> Response:
    group = find_group(call, key)
    object_id = referenced(call, reference_in(call), name).object_id
    _check_new(group.members if name == "members" else group.owners, [object_id], name)
    if name == "members":
        group.set_members([*group.members, object_id], call.now)
    else:
        group.owners.append(object_id)
    committed_membership(call, group, object_id, added=True)
    return empty(call)


def _remove_member(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_members(call)
    return _remove(call, keys, "members")


def _remove_owner(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_groups(call)
    return _remove(call, keys, "owners")


def _remove(call: Call, keys: tuple[Key, ...], name: str) -> Response:
    group, object_id = find_group(call, keys[0]), keys[1][1]
    present = group.members if name == "members" else group.owners
    if object_id not in present:
        raise not_found(object_id[:100])
    if name == "members":
        group.set_members([item for item in group.members if item != object_id], call.now)
    else:
        group.owners.remove(object_id)
    committed_membership(call, group, object_id, added=False)
    return empty(call)


ROUTES = (
    ("GET", "groups", "listGroups", _list),
    ("GET", "groups/$count", "countGroups", _count),
    ("GET", "groups/{}", "getGroup", _get),
    ("POST", "groups", "createGroup", _create),
    ("PATCH", "groups/{}", "updateGroup", _update),
    ("DELETE", "groups/{}", "deleteGroup", delete),
    ("GET", "groups/{}/members", "listGroupMembers", _members),
    ("GET", "groups/{}/transitiveMembers", "listGroupMembers", _all_members),
    ("POST", "groups/{}/members/$ref", "addGroupMember", _add_member),
    ("DELETE", "groups/{}/members/{}/$ref", "removeGroupMember", _remove_member),
    ("GET", "groups/{}/owners", "listGroupOwners", _owners),
    ("POST", "groups/{}/owners/$ref", "addGroupOwner", _add_owner),
    ("DELETE", "groups/{}/owners/{}/$ref", "removeGroupOwner", _remove_owner),
)
