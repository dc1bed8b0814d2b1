"""Which groups somebody is in, directly and through other groups, and which directory roles they have.

Sources: https://learn.microsoft.com/graph/api/directoryobject-checkmembergroups (twenty ids), .../directoryobject-getmembergroups
(transitive; `securityEnabledOnly`), .../directoryobject-getmemberobjects (roles, too), .../user-list-transitivememberof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import DirectoryObject, ServicePrincipal, as_guid
from entra_emulator.directory.groups import Group
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, only, texts, wrong_type
from entra_emulator.graph.errors import bad_request, not_found, success
from entra_emulator.graph.groups import find_group
from entra_emulator.graph.lookup import Key, the_principal
from entra_emulator.graph.me import signed_in
from entra_emulator.graph.permissions import may_read_member_of, may_read_objects
from entra_emulator.graph.relations import all_groups, direct_groups, directory_roles
from entra_emulator.graph.users import find_user

_MOST = 20
_IDS = "Collection(Edm.String)"
Handler = Callable[[Call, tuple[Key, ...]], Response]


def _check(call: Call, member: DirectoryObject, name: str, *, roles: bool) -> Response:
    body = json_object(call)
    only(body, frozenset({name}), "checkMemberObjects" if roles else "checkMemberGroups")
    ids = [as_guid(text) for text in texts(body, name)]
    if len(ids) > _MOST:
        raise bad_request(f"The number of ids may be {_MOST} at most.")
    if None in ids:
        raise wrong_type(name, "Collection(Edm.Guid)")
    mine = {item.object_id for item in [*all_groups(call, member), *(directory_roles(call, member) if roles else ())]}
    return success(call, {"value": [item for item in ids if item in mine]}, _IDS)


def _ids(call: Call, member: DirectoryObject, *, roles: bool) -> Response:
    body = json_object(call)
    only(body, frozenset({"securityEnabledOnly"}), "getMemberObjects" if roles else "getMemberGroups")
    secure = body.get("securityEnabledOnly", False)
    if not isinstance(secure, bool):
        raise wrong_type("securityEnabledOnly", "Edm.Boolean")
    groups = [group.object_id for group in all_groups(call, member) if group.security_enabled or not secure]
    return success(call, {"value": groups + [role.object_id for role in directory_roles(call, member) if roles]}, _IDS)


def _me(call: Call, _keys: tuple[Key, ...]) -> DirectoryObject:
    user = signed_in(call)
    may_read_member_of(call)
    return user


def _user(call: Call, keys: tuple[Key, ...]) -> DirectoryObject:
    may_read_objects(call)
    return find_user(call, keys[0])


def _group(call: Call, keys: tuple[Key, ...]) -> DirectoryObject:
    may_read_objects(call)
    return find_group(call, keys[0])


def _principal(call: Call, keys: tuple[Key, ...]) -> ServicePrincipal:
    may_read_objects(call)
    return the_principal(call, keys[0], write=False)


def _any(call: Call, keys: tuple[Key, ...]) -> DirectoryObject:
    may_read_objects(call)
    item = call.home().directory_object(keys[0][1])
    if item is None:
        raise not_found(keys[0][1][:100])
    return item


def _routes(
    path: str, find: Callable[[Call, tuple[Key, ...]], DirectoryObject]
) -> Iterator[tuple[str, str, str, Handler]]:
    """The routes below one kind of objects, which `find` finds by the keys in the path."""

    def listing(groups: Callable[[Call, DirectoryObject], list[Group]] | None, *, roles: bool) -> Handler:
        def work(call: Call, keys: tuple[Key, ...]) -> Response:
            member = find(call, keys)
            found = groups(call, member) if groups else []
            return views.object_list(call, [*(directory_roles(call, member) if roles else ()), *found])

        return work

    listed = ("listMyRoles", "listMyRoles") if path == "me" else ("listGroupsOf", "listRolesOf")
    for name, groups in (("memberOf", direct_groups), ("transitiveMemberOf", all_groups)):
        yield "GET", f"{path}/{name}", listed[0], listing(groups, roles=True)
        yield "GET", f"{path}/{name}/group", listed[0], listing(groups, roles=False)
        yield "GET", f"{path}/{name}/directoryRole", listed[1], listing(None, roles=True)
    for kind, given, roles in (("Groups", "groupIds", False), ("Objects", "ids", True)):
        check, ids = _work(find, _check, name=given, roles=roles), _work(find, _ids, roles=roles)
        yield "POST", f"{path}/checkMember{kind}", f"checkMember{kind}", check
        yield "POST", f"{path}/getMember{kind}", f"getMember{kind}", ids


def _work(
    find: Callable[[Call, tuple[Key, ...]], DirectoryObject], answer: Callable[..., Response], **options: Any
) -> Handler:
    return lambda call, keys: answer(call, find(call, keys), **options)


ROUTES = (
    *_routes("me", _me),
    *_routes("users/{}", _user),
    *_routes("groups/{}", _group),
    *_routes("servicePrincipals/{}", _principal),
    *_routes("directoryObjects/{}", _any),
)
