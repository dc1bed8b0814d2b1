"""Directory roles as role management shows them: their definitions, and their assignments in the whole tenant.

Sources: https://learn.microsoft.com/graph/api/resources/unifiedroledefinition (a built-in role has the id of its template),
.../unifiedroleassignment, .../rbacapplication-post-roleassignments. The form of an assignment's id is assumed. Roles of one's
own, and assignments in a part of the tenant, are refused.
"""

from __future__ import annotations

import uuid
from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Assignee
from entra_emulator.directory.keys import b64url
from entra_emulator.directory.roles import TEMPLATES
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_guid, only_members, text_or_none
from entra_emulator.graph.directory_roles import give_role, role_of_template, take_role
from entra_emulator.graph.errors import bad_request, empty, not_found, success
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import chosen, collection, entity, expanded
from entra_emulator.graph.permissions import may_give_roles, may_read_roles

_DEFINITIONS, _ASSIGNMENTS = "roleManagement/directory/roleDefinitions", "roleManagement/directory/roleAssignments"
_MEMBERS = frozenset({"principalId", "roleDefinitionId", "directoryScopeId", "appScopeId"})
_EXPANDABLE = frozenset({"principal", "roleDefinition"})
_EVERYWHERE = "/"


def _list_definitions(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_roles(call)
    return collection(call, [_definition(name) for name in TEMPLATES], _DEFINITIONS)


def _get_definition(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_roles(call)
    return entity(call, _definition(role_of_template(keys[0][1])), _DEFINITIONS)


def _definition(name: str) -> dict[str, Any]:
    return {
        "id": TEMPLATES[name],
        "description": None,
        "displayName": name,
        "isBuiltIn": True,
        "isEnabled": True,
        "resourceScopes": [_EVERYWHERE],
        "rolePermissions": [],
        "templateId": TEMPLATES[name],
        "version": "1",
    }


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_roles(call)
    given = [(name, member) for member in call.home().assignees() for name in member.roles]
    expanded(call, _EXPANDABLE)
    return collection(call, [_shown(call, name, member) for name, member in given], _ASSIGNMENTS)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_roles(call)
    return entity(call, _shown(call, *_one(call, keys[0])), _ASSIGNMENTS)


def _create(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_give_roles(call)
    body = json_object(call)
    only_members(body, _MEMBERS, "microsoft.graph.unifiedRoleAssignment")
    if text_or_none(body, "appScopeId") is not None or text_or_none(body, "directoryScopeId") != _EVERYWHERE:
        raise bad_request(f"Roles are assigned in the whole tenant here: 'directoryScopeId' must be '{_EVERYWHERE}'.")
    name = role_of_template(needed_guid(body, "roleDefinitionId"))
    member = give_role(call, name, needed_guid(body, "principalId"))
    return success(call, _assignment(name, member), f"{_ASSIGNMENTS}/$entity", 201)


def _delete(call: Call, keys: tuple[Key, ...]) -> Response:
    may_give_roles(call)
    take_role(call, *_one(call, keys[0]))
    return empty(call)


def _one(call: Call, key: Key) -> tuple[str, Assignee]:
    for member in call.home().assignees():
        for name in member.roles:
            if _assignment(name, member)["id"] == key[1]:
                return name, member
    raise not_found(key[1][:100])


def _shown(call: Call, name: str, member: Assignee) -> dict[str, Any]:
    """The assignment with what $expand asks for."""
    more: dict[str, Any] = {}
    for part, names in expanded(call, _EXPANDABLE).items():
        if part == "principal":
            more[part] = views.expanded_objects(call, [member], names)[0]
        else:
            more[part] = chosen(_definition(name), names) if names else _definition(name)
    return _assignment(name, member) | more


def _assignment(name: str, member: Assignee) -> dict[str, Any]:
    both = uuid.UUID(TEMPLATES[name]).bytes_le + uuid.UUID(member.object_id).bytes_le
    return {
        "id": f"{b64url(both)}-1",
        "directoryScopeId": _EVERYWHERE,
        "principalId": member.object_id,
        "roleDefinitionId": TEMPLATES[name],
    }


ROUTES = (
    ("GET", "roleManagement/directory/roleDefinitions", "listRoleDefinitions", _list_definitions),
    ("GET", "roleManagement/directory/roleDefinitions/{}", "getRoleDefinition", _get_definition),
    ("GET", "roleManagement/directory/roleAssignments", "listRoleAssignments", _list),
    ("GET", "roleManagement/directory/roleAssignments/{}", "getRoleAssignment", _get),
    ("POST", "roleManagement/directory/roleAssignments", "createRoleAssignment", _create),
    ("DELETE", "roleManagement/directory/roleAssignments/{}", "deleteRoleAssignment", _delete),
)
