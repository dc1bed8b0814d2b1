"""App role assignments: how a service principal is given the application permissions of a resource.

Sources: https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignments and
.../serviceprincipal-list-approleassignedto. The texts of refusals are assumed. Users and groups hold none here.
"""

from __future__ import annotations

from entra_emulator.core.wire import Response
from entra_emulator.directory.catalogue import role_of
from entra_emulator.directory.directory import GRAPH_APP_ID, ServicePrincipal, new_guid
from entra_emulator.directory.grants import Grant
from entra_emulator.directory.replicas import object_presence
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_guid, only_members
from entra_emulator.graph.errors import bad_request, denied, empty, not_found, success
from entra_emulator.graph.lookup import Key, principal_by_key
from entra_emulator.graph.permissions import WRITE_OWNED, may_assign_roles, may_try
from entra_emulator.graph.writes import note_change

_MEMBERS = frozenset({
    "id", "appRoleId", "principalId", "resourceId", "principalDisplayName", "principalType", "resourceDisplayName",
})  # fmt: skip
_DEFAULT_ROLE = "00000000-0000-0000-0000-000000000000"
"""Access without a role, where the resource has none."""


def _list(call: Call, keys: tuple[Key, ...]) -> Response:
    principal = _readable(call, keys[0])
    value = views.grants(principal, call.home(), call.replica, call.now)
    return success(call, {"value": value}, "servicePrincipals/appRoleAssignments")


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    principal = _readable(call, keys[0])
    value = views.grants(principal, call.home(), call.replica, call.now)
    return _one_of(call, value, keys[1][1])


def _list_assigned(call: Call, keys: tuple[Key, ...]) -> Response:
    value = _assigned(call, _readable(call, keys[0]))
    return success(call, {"value": value}, "servicePrincipals/appRoleAssignedTo")


def _get_assigned(call: Call, keys: tuple[Key, ...]) -> Response:
    return _one_of(call, _assigned(call, _readable(call, keys[0])), keys[1][1])


def _one_of(call: Call, value: list[dict[str, object]], assignment_id: str) -> Response:
    found = next((item for item in value if item["id"] == assignment_id), None)
    if found is None:
        raise not_found(assignment_id[:100])
    return success(call, found, "appRoleAssignments/$entity")


def _readable(call: Call, key: Key) -> ServicePrincipal:
    """A service principal may read its own assignments with OwnedBy, others with a permission over all. GraphError 403, 404."""
    may_try(call, write=False)
    principal = _principal(call, key)
    if call.roles == {WRITE_OWNED} and principal.object_id != call.caller_oid:
        raise denied()
    return principal


def _principal(call: Call, key: Key) -> ServicePrincipal:
    principal = principal_by_key(call, key)
    if principal is None or not principal.presence.visible("graph", call.replica, call.now):
        raise not_found(key[1][:100])
    return principal


def _assigned(call: Call, resource: ServicePrincipal) -> list[dict[str, object]]:
    return [
        views.grant(item, principal, resource)
        for principal in call.home().principals.values()
        for item in principal.grants
        if item.resource_app_id == resource.app_id and item.presence.visible("graph", call.replica, call.now)
    ]


def _assign(call: Call, keys: tuple[Key, ...]) -> Response:
    """From either side: below the principal that gets the role, or below the resource that offers it."""
    may_assign_roles(call)
    _principal(call, keys[0])
    body, rng = json_object(call), call.world.rng
    only_members(body, _MEMBERS, "microsoft.graph.appRoleAssignment")
    principal, resource = (_principal(call, ("id", needed_guid(body, name))) for name in ("principalId", "resourceId"))
    role_id = needed_guid(body, "appRoleId")
    role = _role(call, resource, role_id)
    if any(item.resource_app_id == resource.app_id and item.role == role for item in principal.grants):
        raise bad_request("Permission being assigned already exists on the object")
    presence = object_presence(call.now, call.settings, rng)
    grant = Grant(new_guid(rng), resource.app_id, role, presence, role_id, call.local_now)
    principal.grants.append(grant)
    note_change(call, principal.object_id, principal.display_name, "ServicePrincipal")
    return success(call, views.grant(grant, principal, resource), "appRoleAssignments/$entity", 201)


def _role(call: Call, resource: ServicePrincipal, role_id: str) -> str:
    """The value of that role, which tokens carry. Raises GraphError 400 where the resource has no such role for applications."""
    name = role_of(role_id) if resource.app_id == GRAPH_APP_ID else None
    roles = views.app_roles(resource, call.world.directory.application(resource.app_id))
    for role in roles:
        fits = role.get("isEnabled") and "Application" in (role.get("allowedMemberTypes") or ())
        if str(role.get("id")).lower() == role_id and fits:
            name = str(role.get("value") or role_id)
    if role_id == _DEFAULT_ROLE and not roles:
        name = role_id
    if name is None:
        raise bad_request(f"Permission being assigned was not found on application '{resource.app_id}'.")
    return name


def _unassign(call: Call, keys: tuple[Key, ...]) -> Response:
    may_assign_roles(call)
    at, assignment_id = _principal(call, keys[0]), keys[1][1]
    for principal in call.home().principals.values():
        for item in principal.grants:
            if item.id == assignment_id and (principal is at or item.resource_app_id == at.app_id):
                principal.grants.remove(item)
                note_change(call, principal.object_id, principal.display_name, "ServicePrincipal")
                return empty(call)
    raise not_found(assignment_id[:100])


ROUTES = (
    ("GET", "servicePrincipals/{}/appRoleAssignments", "listAppRoleAssignments", _list),
    ("GET", "servicePrincipals/{}/appRoleAssignments/{}", "getAppRoleAssignment", _get),
    ("POST", "servicePrincipals/{}/appRoleAssignments", "assignAppRole", _assign),
    ("DELETE", "servicePrincipals/{}/appRoleAssignments/{}", "unassignAppRole", _unassign),
    ("GET", "servicePrincipals/{}/appRoleAssignedTo", "listAppRoleAssignedTo", _list_assigned),
    ("GET", "servicePrincipals/{}/appRoleAssignedTo/{}", "getAppRoleAssignedTo", _get_assigned),
    ("POST", "servicePrincipals/{}/appRoleAssignedTo", "assignAppRole", _assign),
    ("DELETE", "servicePrincipals/{}/appRoleAssignedTo/{}", "unassignAppRole", _unassign),
)
