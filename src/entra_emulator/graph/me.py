"""The signed-in user, what they own, and their roles and groups.

Source: https://learn.microsoft.com/graph/api/user-list-transitivememberof (User.Read shows the ids of groups).
"""

from __future__ import annotations

import uuid
from typing import Any

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.directory import Application, Group, ServicePrincipal, Tenant, User
from entra_emulator.directory.membership import groups_of
from entra_emulator.directory.roles import TEMPLATES
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.errors import GraphError, denied, success
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import select
from entra_emulator.graph.permissions import may_read_me, may_read_member_of, may_read_owned
from entra_emulator.graph.users import revoke_sessions, shown_user
from entra_emulator.tokens.tokens import subject


def _me(call: Call, _keys: tuple[Key, ...]) -> Response:
    user = _signed_in(call)
    may_read_me(call)
    return success(call, shown_user(call, user), "users/$entity")


def user_info(call: Call, _keys: tuple[Key, ...]) -> Response:
    """OpenID Connect's user info, for a token of Graph with the scope openid.

    Source: https://learn.microsoft.com/entra/identity-platform/userinfo.
    """
    user = _signed_in(call)
    if "openid" not in call.scopes:
        raise denied()
    shown = views.user(user)
    claims = {
        "sub": subject(user.object_id, call.entry.caller),
        "name": user.display_name,
        "family_name": shown["surname"],
        "given_name": shown["givenName"],
        "email": shown["mail"],
    }
    return Response(200, (("Content-Type", "application/json;charset=utf-8"),), json_body(claims))


def _owned(call: Call, _keys: tuple[Key, ...]) -> Response:
    value = views.directory_objects(call, _what_is_owned(call))
    return success(call, {"value": value}, "directoryObjects")


def _owned_applications(call: Call, _keys: tuple[Key, ...]) -> Response:
    owned = [item for item in _what_is_owned(call) if isinstance(item, Application)]
    return success(call, {"value": [select(call, views.application(call, item)) for item in owned]}, "applications")


def _what_is_owned(call: Call) -> list[Application | ServicePrincipal]:
    user, tenant = _signed_in(call), call.home()
    may_read_owned(call, user.object_id)
    every: list[Application | ServicePrincipal] = [*tenant.applications.values(), *tenant.principals.values()]
    visible = [item for item in every if item.presence.visible("graph", call.replica, call.now)]
    return [item for item in visible if user.object_id in item.owners]


def _revoke(call: Call, _keys: tuple[Key, ...]) -> Response:
    return revoke_sessions(call, _signed_in(call))


def _roles(call: Call, _keys: tuple[Key, ...]) -> Response:
    user, tenant = _signed_in(call), call.home()
    may_read_member_of(call)
    value = [{"@odata.type": "#microsoft.graph.directoryRole", **_role(tenant, name)} for name in user.roles]
    return success(call, {"value": value}, "directoryObjects")


def _direct(call: Call, _keys: tuple[Key, ...]) -> Response:
    user, tenant = _signed_in(call), call.home()
    return _memberships(call, [group for group in tenant.groups.values() if user.object_id in group.members])


def _transitive(call: Call, _keys: tuple[Key, ...]) -> Response:
    return _memberships(call, groups_of(call.home(), _signed_in(call).object_id))


def _memberships(call: Call, groups: list[Group]) -> Response:
    """Roles and groups; of groups that the caller may not read, the ids alone."""
    user, tenant = _signed_in(call), call.home()
    may_read_member_of(call)
    roles = [{"@odata.type": "#microsoft.graph.directoryRole", **_role(tenant, name)} for name in user.roles]
    return success(call, {"value": roles + views.directory_objects(call, groups)}, "directoryObjects")


def _role(tenant: Tenant, name: str) -> dict[str, Any]:
    """A directory role has an id of its own in each tenant, and one of its template everywhere."""
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"directory-role:{tenant.id}:{name}")),
        "deletedDateTime": None,
        "description": None,
        "displayName": name,
        "roleTemplateId": TEMPLATES[name],
    }


def _signed_in(call: Call) -> User:
    if call.user is None:
        raise GraphError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
    if call.user.object_id not in call.home().users:
        raise denied()
    return call.user


ROUTES = (
    ("GET", "me", "getMe", _me),
    ("GET", "me/ownedObjects", "listMyOwnedObjects", _owned),
    ("GET", "me/ownedObjects/application", "listMyOwnedApplications", _owned_applications),
    ("GET", "me/memberOf", "listMyRoles", _direct),
    ("GET", "me/transitiveMemberOf", "listMyRoles", _transitive),
    ("GET", "me/memberOf/directoryRole", "listMyRoles", _roles),
    ("GET", "me/transitiveMemberOf/directoryRole", "listMyRoles", _roles),
    ("POST", "me/revokeSignInSessions", "revokeSignInSessions", _revoke),
)
