"""Which groups somebody is in, directly and through other groups.

Sources: https://learn.microsoft.com/graph/api/directoryobject-checkmembergroups (twenty ids), .../directoryobject-getmembergroups
(transitive; `securityEnabledOnly`), .../user-list-transitivememberof.
"""

from __future__ import annotations

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Group, as_guid
from entra_emulator.directory.membership import groups_of
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, only, texts, wrong_type
from entra_emulator.graph.errors import bad_request, success
from entra_emulator.graph.lookup import Key, referenced
from entra_emulator.graph.permissions import may_read_groups
from entra_emulator.graph.users import find_user

_MOST = 20


def _direct(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    member = _member(call, keys[0])
    groups = [group for group in call.home().groups.values() if member in group.members]
    return success(call, {"value": views.directory_objects(call, groups)}, "directoryObjects")


def _transitive(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    return success(call, {"value": views.directory_objects(call, _all_groups(call, keys[0]))}, "directoryObjects")


def _check(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    body = json_object(call)
    only(body, frozenset({"groupIds", "ids"}), "checkMemberGroups")
    ids = [as_guid(text) for text in texts(body, "groupIds" if "groupIds" in body else "ids")]
    if len(ids) > _MOST:
        raise bad_request(f"The number of ids may be {_MOST} at most.")
    if None in ids:
        raise wrong_type("groupIds", "Collection(Edm.Guid)")
    mine = {group.object_id for group in _all_groups(call, keys[0])}
    return success(call, {"value": [item for item in ids if item in mine]}, "Collection(Edm.String)")


def _ids(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    body = json_object(call)
    only(body, frozenset({"securityEnabledOnly"}), "getMemberGroups")
    secure = body.get("securityEnabledOnly", False)
    if not isinstance(secure, bool):
        raise wrong_type("securityEnabledOnly", "Edm.Boolean")
    groups = _all_groups(call, keys[0])
    value = [group.object_id for group in groups if group.security_enabled or not secure]
    return success(call, {"value": value}, "Collection(Edm.String)")


def _member(call: Call, key: Key) -> str:
    """The object id; of a user the principal name will do. Raises GraphError 404."""
    if as_guid(key[1]) is None and "@" in key[1]:
        return find_user(call, key).object_id
    return referenced(call, key[1]).object_id


def _all_groups(call: Call, key: Key) -> list[Group]:
    return groups_of(call.home(), _member(call, key))


_KINDS = ("users", "groups", "servicePrincipals", "directoryObjects")
ROUTES = tuple(
    (method, f"{kind}/{{}}/{name}", operation, work)
    for kind in _KINDS
    for method, name, operation, work in (
        ("GET", "memberOf", "listGroupsOf", _direct),
        ("GET", "transitiveMemberOf", "listGroupsOf", _transitive),
        ("POST", "checkMemberGroups", "checkMemberGroups", _check),
        ("POST", "checkMemberObjects", "checkMemberGroups", _check),
        ("POST", "getMemberGroups", "getMemberGroups", _ids),
        ("POST", "getMemberObjects", "getMemberGroups", _ids),
    )
)
