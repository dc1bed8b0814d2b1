"""Role definitions and role assignments of Azure Resource Manager.

Sources: https://learn.microsoft.com/rest/api/authorization/role-assignments and .../role-definitions (2022-04-01);
https://learn.microsoft.com/azure/role-based-access-control/troubleshooting (a principal that is not replicated yet is refused,
unless its type is told; the same role twice is a conflict).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from entra_emulator.core.clock import graph_time
from entra_emulator.core.wire import read_json
from entra_emulator.directory.azure_roles import BUILT_IN, OWNER, USER_ACCESS_ADMINISTRATOR, RoleAssignment, within
from entra_emulator.directory.directory import Application, ServicePrincipal, as_guid
from entra_emulator.directory.groups import Group
from entra_emulator.directory.membership import with_groups
from entra_emulator.directory.world import Call
from entra_emulator.server.arm_errors import ArmError

_FILTER = re.compile(
    r"\s*(?:atScope\(\)|(roleName|principalId)\s+eq\s+'([^']*)'|assignedTo\('([^']*)'\))\s*", re.IGNORECASE
)
_TYPES = frozenset({"User", "Group", "ServicePrincipal", "ForeignGroup", "Device"})
Answer = tuple[int, Any]


def _list_definitions(call: Call, scope: str, _name: str) -> Answer:
    wanted = _conditions(call).get("rolename")
    rows = [_definition(call, scope, role) for role in (*BUILT_IN, *call.home().azure.definitions)]
    return 200, {"value": [row for row in rows if wanted in {None, row["properties"]["roleName"]}]}


def _get_definition(call: Call, scope: str, name: str) -> Answer:
    return 200, _definition(call, scope, _known_role(call, name))


def _put_definition(call: Call, scope: str, name: str) -> Answer:
    _may_administer(call, scope)
    role, body = as_guid(name), _properties(call)
    title = body.get("roleName")
    if role is None or role in BUILT_IN or not isinstance(title, str) or not title:
        raise ArmError(
            400, "InvalidRoleDefinition", "A role definition needs an id of its own (a GUID) and a roleName."
        )
    call.home().azure.definitions[role] = {
        "roleName": title,
        "description": body.get("description") or "",
        "permissions": body.get("permissions") or [],
        "assignableScopes": body.get("assignableScopes") or [scope or "/"],
    }
    call.entry.committed = True
    return 201, _definition(call, scope, role)  # of an update, too


def _delete_definition(call: Call, scope: str, name: str) -> Answer:
    _may_administer(call, scope)
    role, azure = as_guid(name) or "", call.home().azure
    if role not in azure.definitions:
        return 204, None
    if any(item.role_id == role for item in azure.assignments.values()):
        raise ArmError(400, "RoleDefinitionHasAssignments", "There are existing role assignments referencing the role.")
    shown = _definition(call, scope, role)
    del azure.definitions[role]
    call.entry.committed = True
    return 200, shown


def _list_assignments(call: Call, scope: str, _name: str) -> Answer:
    """At the scope, above it, and below it except with `atScope()`; `assignedTo` finds those of groups, too.

    Source: https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest.
    """
    conditions, tenant = _conditions(call), call.home()
    rows = [
        item
        for item in tenant.azure.assignments.values()
        if within(scope, item.scope) or ("atscope" not in conditions and within(item.scope, scope or "/"))
    ]
    if "principalid" in conditions:
        rows = [item for item in rows if item.principal_id == conditions["principalid"]]
    if "assignedto" in conditions:
        who = with_groups(tenant, conditions["assignedto"])
        rows = [item for item in rows if item.principal_id in who]
    return 200, {"value": [_assignment(item) for item in rows]}


def _get_assignment(call: Call, _scope: str, name: str) -> Answer:
    item = call.home().azure.assignments.get(as_guid(name) or "")
    if item is None:
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{name[:100]}' is not found.")
    return 200, _assignment(item)


def _put_assignment(call: Call, scope: str, name: str) -> Answer:
    _may_administer(call, scope)
    body, azure = _properties(call), call.home().azure
    role = _known_role(call, str(body.get("roleDefinitionId", "")).rstrip("/").rpartition("/")[2])
    principal, kind = as_guid(body.get("principalId")), body.get("principalType")
    assignment_id = as_guid(name)
    if principal is None or assignment_id is None or (kind is not None and str(kind) not in _TYPES):
        raise ArmError(
            400, "BadRequest", "A role assignment has a GUID as its name, a principalId, and a known principalType."
        )
    kind = str(kind) if kind is not None else _kind_of(call, principal)
    for item in azure.assignments.values():
        same = (item.scope.lower(), item.role_id, item.principal_id) == (scope.lower(), role, principal)
        if same and item.id != assignment_id:
            raise ArmError(409, "RoleAssignmentExists", "The role assignment already exists.")
    if assignment_id in azure.assignments:
        text = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
        raise ArmError(409, "RoleAssignmentUpdateNotPermitted", text)
    azure.assignments[assignment_id] = RoleAssignment(assignment_id, scope, role, principal, kind, call.local_now)
    call.entry.committed = True
    return 201, _assignment(azure.assignments[assignment_id])


def _delete_assignment(call: Call, scope: str, name: str) -> Answer:
    _may_administer(call, scope)
    item = call.home().azure.assignments.pop(as_guid(name) or "", None)
    if item is None:
        return 204, None
    call.entry.committed = True
    return 200, _assignment(item)


def _kind_of(call: Call, principal_id: str) -> str:
    """What the principal is; unknown while this replica has not heard of it. Raises ArmError 400."""
    found = call.home().directory_object(principal_id)
    visible = not isinstance(found, (Application, ServicePrincipal)) or found.presence.visible(
        "graph", call.replica, call.now
    )
    if found is None or isinstance(found, Application) or not visible:
        raise ArmError(
            400,
            "PrincipalNotFound",
            f"Principal {principal_id.replace('-', '')} does not exist in the directory {call.home().id}. Check that you have "
            "the correct principal ID. If you are creating this principal and then immediately assigning a role, this error "
            "might be related to a replication delay. In this case, set the role assignment principalType property to a value, "
            "such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
        )
    if isinstance(found, ServicePrincipal):
        return "ServicePrincipal"
    return "Group" if isinstance(found, Group) else "User"


def _may_administer(call: Call, scope: str) -> None:
    """Raises ArmError 403 for a caller who may not give roles at this scope."""
    if not {OWNER, USER_ACCESS_ADMINISTRATOR} & call.home().azure.roles_at(
        with_groups(call.home(), call.caller_oid), scope
    ):
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{call.entry.caller}' with object id '{call.caller_oid}' does not have authorization to perform action "
            f"'Microsoft.Authorization/roleAssignments/write' over scope '{scope}' or the scope is invalid. If access was "
            "recently granted, please refresh your credentials.",
        )


def _known_role(call: Call, name: str) -> str:
    role = as_guid(name)
    if role is None or (role not in BUILT_IN and role not in call.home().azure.definitions):
        raise ArmError(
            404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name[:100]}' does not exist."
        )
    return role


def _definition(call: Call, scope: str, role: str) -> dict[str, Any]:
    own = call.home().azure.definitions.get(role)
    every = {"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}
    built_in = {"roleName": BUILT_IN.get(role), "description": "", "permissions": [every], "assignableScopes": ["/"]}
    return {
        "id": f"{_subscription(scope)}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        "name": role,
        "properties": {**(own or built_in), "type": "CustomRole" if own else "BuiltInRole"},
        "type": "Microsoft.Authorization/roleDefinitions",
    }


def _assignment(item: RoleAssignment) -> dict[str, Any]:
    return {
        "id": f"{item.scope}/providers/Microsoft.Authorization/roleAssignments/{item.id}",
        "name": item.id,
        "properties": {
            "createdOn": graph_time(item.created_at),
            "principalId": item.principal_id,
            "principalType": item.principal_type,
            "roleDefinitionId": f"{_subscription(item.scope)}/providers/Microsoft.Authorization/roleDefinitions/{item.role_id}",
            "scope": item.scope,
        },
        "type": "Microsoft.Authorization/roleAssignments",
    }


def _subscription(scope: str) -> str:
    """The subscription of a scope, in whose name roles are told."""
    return "/".join(scope.split("/")[:3])


def _conditions(call: Call) -> dict[str, str]:
    """The parts of $filter by their names in lower case. Raises ArmError 400 for what is not known."""
    conditions: dict[str, str] = {}
    for part in call.parameters().get("$filter", "").split(" and ") if "$filter" in call.parameters() else ():
        match = _FILTER.fullmatch(part)
        if not match:
            raise ArmError(400, "UnsupportedQuery", f"The filter '{part[:200]}' is not supported.")
        name, value, assigned = match.groups()
        kind = name or ("assignedTo" if assigned is not None else "atScope")
        conditions[kind.lower()] = value or assigned or ""
    return conditions


def _properties(call: Call) -> dict[str, Any]:
    try:
        body = read_json(call.request.body)
    except ValueError as error:
        raise ArmError(400, "InvalidRequestContent", "The request content was not valid JSON.") from error
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content has no object 'properties'.")
    return properties


ROUTES: dict[tuple[str, str, bool], tuple[str, Callable[[Call, str, str], Answer]]] = {
    ("GET", "roledefinitions", False): ("listRoleDefinitions", _list_definitions),
    ("GET", "roledefinitions", True): ("getRoleDefinition", _get_definition),
    ("PUT", "roledefinitions", True): ("putRoleDefinition", _put_definition),
    ("DELETE", "roledefinitions", True): ("deleteRoleDefinition", _delete_definition),
    ("GET", "roleassignments", False): ("listRoleAssignments", _list_assignments),
    ("GET", "roleassignments", True): ("getRoleAssignment", _get_assignment),
    ("PUT", "roleassignments", True): ("putRoleAssignment", _put_assignment),
    ("DELETE", "roleassignments", True): ("deleteRoleAssignment", _delete_assignment),
}
"""Method, kind, and whether a name follows -> the operation in the ledger, and who answers."""
