"""App role assignments: how service principals, users and groups are given the app roles of a resource.

Sources: https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignments, .../user-post-approleassignments,
.../group-post-approleassignments and .../serviceprincipal-list-approleassignedto. The texts of refusals are assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Assignee, ServicePrincipal, User, new_guid
from entra_emulator.directory.grants import Grant
from entra_emulator.directory.replicas import object_presence
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_guid, only_members
from entra_emulator.graph.errors import bad_request, empty, not_found, success
from entra_emulator.graph.groups import find_group
from entra_emulator.graph.lookup import Key, principal_by_key
from entra_emulator.graph.me import signed_in
from entra_emulator.graph.odata import collection, entity
from entra_emulator.graph.permissions import may_assign_roles
from entra_emulator.graph.relations import roles_given_by, roles_given_to
from entra_emulator.graph.users import find_user
from entra_emulator.graph.writes import note_change, values_changed

_MEMBERS = frozenset({
    "id", "appRoleId", "principalId", "resourceId", "principalDisplayName", "principalType", "resourceDisplayName",
})  # fmt: skip
_DEFAULT_ROLE = "00000000-0000-0000-0000-000000000000"
"""Access without a role, where the resource has none."""
_CONTEXT = "appRoleAssignments"
Handler = Callable[[Call, tuple[Key, ...]], Response]


def _list(call: Call, assignee: Assignee) -> Response:
    return collection(call, roles_given_to(call, assignee), _CONTEXT)


def _get(call: Call, assignee: Assignee, assignment_id: str) -> Response:
    return _one_of(call, roles_given_to(call, assignee), assignment_id)


def _list_mine(call: Call, _keys: tuple[Key, ...]) -> Response:
    return _list(call, signed_in(call))


def _list_assigned(call: Call, keys: tuple[Key, ...]) -> Response:
    return collection(call, roles_given_by(call, _principal(call, keys[0])), _CONTEXT)


def _get_assigned(call: Call, keys: tuple[Key, ...]) -> Response:
    return _one_of(call, roles_given_by(call, _principal(call, keys[0])), keys[1][1])


def _one_of(call: Call, value: list[dict[str, Any]], assignment_id: str) -> Response:
    found = next((item for item in value if item["id"] == assignment_id), None)
    if found is None:
        raise not_found(assignment_id[:100])
    return entity(call, found, _CONTEXT)


def _principal(call: Call, key: Key) -> ServicePrincipal:
    principal = principal_by_key(call, key)
    if principal is None or not principal.presence.visible("graph", call.replica, call.now):
        raise not_found(key[1][:100])
    return principal


def _assign(call: Call, at: Assignee) -> Response:
    """From either side: below whom the role is given to, or below the resource that offers it."""
    may_assign_roles(call)
    body, rng = json_object(call), call.world.rng
    only_members(body, _MEMBERS, "microsoft.graph.appRoleAssignment")
    assignee_id, role_id = needed_guid(body, "principalId"), needed_guid(body, "appRoleId")
    assignee, resource = _known(call, assignee_id), _principal(call, ("id", needed_guid(body, "resourceId")))
    if at.object_id not in {assignee_id, resource.object_id}:
        raise bad_request(
            "The principalId or the resourceId of an app role assignment must be the id in the request's path."
        )
    role = _role(call, resource, role_id, "Application" if isinstance(assignee, ServicePrincipal) else "User")
    if any(item.resource_app_id == resource.app_id and item.role == role for item in assignee.grants):
        raise bad_request("Permission being assigned already exists on the object")
    presence = object_presence(call.now, call.settings, rng)
    grant = Grant(new_guid(rng), resource.app_id, role, presence, role_id, call.local_now)
    assignee.grants.append(grant)
    _noted(call, grant, assignee, resource, added=True)
    return success(call, views.grant(grant, assignee, resource), f"{_CONTEXT}/$entity", 201)


def _known(call: Call, object_id: str) -> Assignee:
    assignee = call.home().assignee(object_id)
    if assignee is None or isinstance(assignee, ServicePrincipal):
        return _principal(call, ("id", object_id))
    return assignee


def _role(call: Call, resource: ServicePrincipal, role_id: str, kind: str) -> str:
    """The value of that role, which tokens carry. Raises GraphError 400 where the resource has no such role for this kind.

    The kinds are Application, and User for users and for groups: https://learn.microsoft.com/graph/api/resources/approle.
    """
    roles = views.app_roles(resource, call.world.directory.application(resource.app_id))
    if role_id == _DEFAULT_ROLE and not roles:
        return role_id
    for role in roles:
        fits = role.get("isEnabled") and kind in (role.get("allowedMemberTypes") or ())
        if str(role.get("id")).lower() == role_id and fits:
            return str(role.get("value") or role_id)
    raise bad_request(f"Permission being assigned was not found on application '{resource.app_id}'.")


def _unassign(call: Call, at: Assignee, assignment_id: str) -> Response:
    may_assign_roles(call)
    offered = at.app_id if isinstance(at, ServicePrincipal) else None
    for assignee in call.home().assignees():
        for item in assignee.grants:
            if item.id == assignment_id and (assignee is at or item.resource_app_id == offered):
                assignee.grants.remove(item)
                _noted(call, item, assignee, call.home().principal_of(item.resource_app_id), added=False)
                return empty(call)
    raise not_found(assignment_id[:100])


def _noted(call: Call, grant: Grant, assignee: Assignee, resource: ServicePrincipal | None, *, added: bool) -> None:
    offered = views.app_roles(resource, call.world.directory.application(resource.app_id)) if resource else []
    role = next((each for each in offered if each["id"] == grant.role_id), {})
    values = {
        "AppRole.Id": grant.role_id,
        "AppRole.Value": role.get("value"),
        "AppRole.DisplayName": role.get("displayName"),
    }
    if isinstance(assignee, User):
        values |= {"User.ObjectID": assignee.object_id, "User.UPN": assignee.principal_name}
    beside = ((resource.object_id, resource.display_name, "ServicePrincipal"),) if resource else ()
    changed = values_changed({name: value or "" for name, value in values.items()}, added=added)
    note_change(call, assignee.object_id, assignee.display_name, type(assignee).__name__, changed, beside)


def _routes(kind: str, find: Callable[[Call, Key], Assignee]) -> Iterator[tuple[str, str, str, Handler]]:
    """The routes below one kind of objects, which `find` finds by their keys."""
    for path in ("appRoleAssignments", "appRoleAssignedTo") if kind == "servicePrincipals" else ("appRoleAssignments",):
        every, one = f"{kind}/{{}}/{path}", f"{kind}/{{}}/{path}/{{}}"
        yield "POST", every, "assignAppRole", lambda call, keys: _assign(call, find(call, keys[0]))
        yield "DELETE", one, "unassignAppRole", lambda call, keys: _unassign(call, find(call, keys[0]), keys[1][1])
    every, one = f"{kind}/{{}}/appRoleAssignments", f"{kind}/{{}}/appRoleAssignments/{{}}"
    yield "GET", every, "listAppRoleAssignments", lambda call, keys: _list(call, find(call, keys[0]))
    yield "GET", one, "getAppRoleAssignment", lambda call, keys: _get(call, find(call, keys[0]), keys[1][1])


ROUTES = (
    *_routes("servicePrincipals", _principal),
    *_routes("users", find_user),
    *_routes("groups", find_group),
    ("GET", "me/appRoleAssignments", "listAppRoleAssignments", _list_mine),
    ("GET", "servicePrincipals/{}/appRoleAssignedTo", "listAppRoleAssignedTo", _list_assigned),
    ("GET", "servicePrincipals/{}/appRoleAssignedTo/{}", "getAppRoleAssignedTo", _get_assigned),
)
