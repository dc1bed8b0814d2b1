"""Directory roles that are active in a tenant, their templates, and who has them.

Sources: https://learn.microsoft.com/graph/api/resources/directoryrole (only active ones are shown; an object id or
`roleTemplateId='...'` names one), .../directoryrole-post-directoryroles, .../directoryrole-post-members. The emulator knows
the roles that matter to applications, their credentials and their logs.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Assignee
from entra_emulator.directory.groups import Group
from entra_emulator.directory.roles import TEMPLATES, DirectoryRole, active_roles
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_guid, only_members
from entra_emulator.graph.errors import bad_request, empty, not_found, success
from entra_emulator.graph.lookup import Key, reference_in, referenced
from entra_emulator.graph.odata import collection, collection_of, entity
from entra_emulator.graph.permissions import may_give_roles, may_read_roles
from entra_emulator.graph.relations import EXPANDABLE, expanded_relations, having_role
from entra_emulator.graph.writes import note_change

_CONTEXT, _TEMPLATES = "directoryRoles", "directoryRoleTemplates"
_MEMBERS = frozenset({"roleTemplateId", "displayName", "description"})


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_roles(call)
    roles = active_roles(call.home())
    known = frozenset(views.directory_role(roles[0])) | EXPANDABLE[DirectoryRole]
    return collection_of(call, roles, lambda role: _shown(call, role), lambda role: role.object_id, _CONTEXT, known)


def _shown(call: Call, role: DirectoryRole) -> dict[str, Any]:
    return views.directory_role(role) | expanded_relations(call, role)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_roles(call)
    return entity(call, _shown(call, _one(call, keys[0])), _CONTEXT)


def _activate(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_give_roles(call)
    body, tenant = json_object(call), call.home()
    only_members(body, _MEMBERS, "microsoft.graph.directoryRole")
    name = role_of_template(needed_guid(body, "roleTemplateId"))
    if name in {role.name for role in active_roles(tenant)}:
        raise bad_request(
            "A conflicting object with one or more of the specified property values is present in the directory."
        )
    tenant.activated_roles.append(name)
    role = DirectoryRole(tenant.id, name)
    note_change(call, role.object_id, name, "Role")
    return success(call, views.directory_role(role), f"{_CONTEXT}/$entity", 201)


def _members(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_roles(call)
    return views.object_list(call, having_role(call, _one(call, keys[0])))


def _add(call: Call, keys: tuple[Key, ...]) -> Response:
    may_give_roles(call)
    role = _one(call, keys[0])
    give_role(call, role.name, referenced(call, reference_in(call), "members").object_id)
    return empty(call)


def _remove(call: Call, keys: tuple[Key, ...]) -> Response:
    may_give_roles(call)
    role, member = _one(call, keys[0]), call.home().assignee(keys[1][1])
    if member is None or role.name not in member.roles:
        raise not_found(keys[1][1][:100])
    take_role(call, role.name, member)
    return empty(call)


def _list_templates(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_roles(call)
    return collection(call, [_template(name) for name in TEMPLATES], _TEMPLATES)


def _get_template(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_roles(call)
    return entity(call, _template(role_of_template(keys[0][1])), _TEMPLATES)


def _template(name: str) -> dict[str, Any]:
    return {"id": TEMPLATES[name], "deletedDateTime": None, "description": None, "displayName": name}


def _one(call: Call, key: Key) -> DirectoryRole:
    """By its id, by `roleTemplateId='...'`, or by the id of its template alone. Raises GraphError 404 where it is not active."""
    name = key[1].lower().removeprefix("roletemplateid=").strip("'")
    role = next((role for role in active_roles(call.home()) if name in {role.object_id, role.template_id}), None)
    if role is None:
        raise not_found(key[1][:100])
    return role


def role_of_template(template_id: str) -> str:
    """The name of the role with this template, which is also its definition. Raises GraphError 404."""
    name = next((name for name, known in TEMPLATES.items() if known == template_id), None)
    if name is None:
        raise not_found(template_id[:100])
    return name


def give_role(call: Call, name: str, object_id: str) -> Assignee:
    """Gives a role to a user, a service principal, or a group that may be given roles. Raises GraphError 400 or 404.

    Source of what a group needs: https://learn.microsoft.com/entra/identity/role-based-access-control/groups-concept. The
    texts are assumed.
    """
    member = call.home().assignee(object_id)
    if member is None:
        raise not_found(object_id[:100])
    if isinstance(member, Group) and member.properties.get("isAssignableToRole") is not True:
        raise bad_request("The group is not assignable to a role: 'isAssignableToRole' is set when a group is made.")
    if name in member.roles:
        raise bad_request(
            "One or more added object references already exist for the following modified properties: 'members'."
        )
    member.roles.append(name)
    note_change(call, member.object_id, member.display_name, type(member).__name__)
    return member


def take_role(call: Call, name: str, member: Assignee) -> None:
    """Takes a role away from somebody who has it."""
    member.roles.remove(name)
    note_change(call, member.object_id, member.display_name, type(member).__name__)


ROUTES = (
    ("GET", "directoryRoles", "listDirectoryRoles", _list),
    ("GET", "directoryRoles/{}", "getDirectoryRole", _get),
    ("POST", "directoryRoles", "activateDirectoryRole", _activate),
    ("GET", "directoryRoles/{}/members", "listDirectoryRoleMembers", _members),
    ("POST", "directoryRoles/{}/members/$ref", "addDirectoryRoleMember", _add),
    ("DELETE", "directoryRoles/{}/members/{}/$ref", "removeDirectoryRoleMember", _remove),
    ("GET", "directoryRoleTemplates", "listDirectoryRoleTemplates", _list_templates),
    ("GET", "directoryRoleTemplates/{}", "getDirectoryRoleTemplate", _get_template),
)
