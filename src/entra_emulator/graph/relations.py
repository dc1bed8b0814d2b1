"""What a directory object is related to: the lists below it, and what `$expand` shows of them within it.

Sources: the relationships of https://learn.microsoft.com/graph/api/resources/user, .../group, .../serviceprincipal,
.../application and .../directoryrole; one relationship in a request, twenty objects of it:
https://learn.microsoft.com/graph/query-parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from entra_emulator.directory.directory import (
    Application,
    Assignee,
    DirectoryObject,
    ServicePrincipal,
    User,
)
from entra_emulator.directory.groups import Group
from entra_emulator.directory.membership import groups_of
from entra_emulator.directory.roles import DirectoryRole, roles_of
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.odata import chosen, expanded
from entra_emulator.graph.permissions import may_read_assignments, may_read_owned

_MOST = 20
Objects = Sequence[DirectoryObject | DirectoryRole]
Rows = list[dict[str, Any]]


def owned_objects(call: Call, owner: ServicePrincipal | User) -> list[Application | ServicePrincipal]:
    """The applications and service principals that somebody owns. Raises GraphError 403."""
    may_read_owned(call, owner.object_id)
    tenant = call.home()
    every: list[Application | ServicePrincipal] = [*tenant.applications.values(), *tenant.principals.values()]
    return [
        item
        for item in every
        if owner.object_id in item.owners and item.presence.visible("graph", call.replica, call.now)
    ]


def manager_of(call: Call, user: User) -> list[User]:
    """The manager of a user, or nobody."""
    manager = call.home().users.seen(user.manager)
    return [manager] if manager else []


def direct_reports(call: Call, user: User) -> list[User]:
    """Those whose manager a user is."""
    return [item for item in call.home().users.values() if item.manager == user.object_id]


def members_of(call: Call, group: Group) -> list[DirectoryObject]:
    """The direct members of a group."""
    return _existing(call, group.members)


def all_members_of(call: Call, group: Group) -> list[DirectoryObject]:
    """Its members, and the members of groups among them."""
    found, waiting = dict[str, None](), list(group.members)
    while waiting:
        object_id = waiting.pop(0)
        if object_id not in found:
            found[object_id] = None
            inner = call.home().groups.get(object_id)
            waiting += inner.members if inner else []
    return _existing(call, list(found))


def owners_of_group(call: Call, group: Group) -> list[DirectoryObject]:
    """The owners of a group."""
    return _existing(call, group.owners)


def direct_groups(call: Call, member: DirectoryObject) -> list[Group]:
    """The groups that have this member."""
    return [group for group in call.home().groups.values() if member.object_id in group.members]


def all_groups(call: Call, member: DirectoryObject) -> list[Group]:
    """These, and the groups that have those as members."""
    return groups_of(call.home(), member.object_id)


def directory_roles(call: Call, member: DirectoryObject) -> list[DirectoryRole]:
    """The roles of somebody whom roles can be given to; applications have none."""
    tenant, assignee = call.home(), call.home().assignee(member.object_id)
    return [DirectoryRole(tenant.id, name) for name in roles_of(tenant, assignee)] if assignee else []


def having_role(call: Call, role: DirectoryRole) -> list[Assignee]:
    """Who was given a directory role."""
    return [item for item in call.home().assignees() if role.name in item.roles]


def roles_given_to(call: Call, assignee: Assignee) -> Rows:
    """The app roles that were given to somebody. Raises GraphError 403."""
    may_read_assignments(call, assignee)
    return views.grants(assignee, call.home(), call.replica, call.now)


def roles_given_by(call: Call, resource: ServicePrincipal) -> Rows:
    """The app roles of a resource that were given to anybody. Raises GraphError 403."""
    may_read_assignments(call, resource)
    return [
        views.grant(item, assignee, resource)
        for assignee in call.home().assignees()
        for item in assignee.grants
        if item.resource_app_id == resource.app_id and item.presence.visible("graph", call.replica, call.now)
    ]


def _existing(call: Call, object_ids: list[str]) -> list[DirectoryObject]:
    return [item for item in map(call.home().directory_object, object_ids) if item is not None]


def _owners(call: Call, holder: Application | ServicePrincipal) -> Objects:
    return call.home().owners_of(holder)


def _member_of(call: Call, member: DirectoryObject) -> Objects:
    return [*directory_roles(call, member), *direct_groups(call, member)]


def _transitive_member_of(call: Call, member: DirectoryObject) -> Objects:
    return [*directory_roles(call, member), *all_groups(call, member)]


def _federated(call: Call, application: Application) -> Rows:
    return [views.federated(call, item) for item in application.federated_seen("graph", call.replica, call.now)]


_OF_MEMBERS: dict[str, Callable[[Call, Any], Objects]] = {
    "memberOf": _member_of,
    "transitiveMemberOf": _transitive_member_of,
}
_OBJECTS: dict[type, dict[str, Callable[[Call, Any], Objects]]] = {
    Application: {"owners": _owners},
    ServicePrincipal: {"owners": _owners, "ownedObjects": owned_objects, **_OF_MEMBERS},
    User: {"manager": manager_of, "directReports": direct_reports, "ownedObjects": owned_objects, **_OF_MEMBERS},
    Group: {"members": members_of, "transitiveMembers": all_members_of, "owners": owners_of_group, **_OF_MEMBERS},
    DirectoryRole: {"members": having_role},
}
_ROWS: dict[type, dict[str, Callable[[Call, Any], Rows]]] = {
    Application: {"federatedIdentityCredentials": _federated},
    ServicePrincipal: {"appRoleAssignments": roles_given_to, "appRoleAssignedTo": roles_given_by},
    User: {"appRoleAssignments": roles_given_to},
    Group: {"appRoleAssignments": roles_given_to},
    DirectoryRole: {},
}
EXPANDABLE = {kind: frozenset({*_OBJECTS[kind], *_ROWS[kind]}) for kind in _OBJECTS}
"""What `$expand` may name, by kind of object."""


def expanded_relations(call: Call, item: DirectoryObject | DirectoryRole) -> dict[str, Any]:
    """The relationship that `$expand` of this call names, with the properties that are chosen behind it.

    Raises GraphError 400 for a name that is not known, and 403 for what the caller may not read.
    """
    kind, shown = type(item), dict[str, Any]()
    for name, names in expanded(call, EXPANDABLE[kind]).items():
        if name in _ROWS[kind]:
            rows = _ROWS[kind][name](call, item)[:_MOST]
            shown[name] = [chosen(row, names) for row in rows] if names else rows
        else:
            objects = views.expanded_objects(call, _OBJECTS[kind][name](call, item)[:_MOST], names)
            shown[name] = objects if name != "manager" else next(iter(objects), None)
    return shown
