"""The signed-in user, and what they own."""

from __future__ import annotations

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.directory import Application, User
from entra_emulator.directory.world import Call
from entra_emulator.graph import user_views, views
from entra_emulator.graph.bodies import json_object, only
from entra_emulator.graph.errors import GraphError, denied, success
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.permissions import may_read_me
from entra_emulator.graph.relations import direct_reports, owned_objects
from entra_emulator.graph.users import expanded_user, revoke_sessions, the_manager
from entra_emulator.tokens.tokens import subject


def _me(call: Call, _keys: tuple[Key, ...]) -> Response:
    user = signed_in(call)
    may_read_me(call)
    return success(call, expanded_user(call, user), "users/$entity")


def _manager(call: Call, _keys: tuple[Key, ...]) -> Response:
    user = signed_in(call)
    may_read_me(call)
    return the_manager(call, user)


def _reports(call: Call, _keys: tuple[Key, ...]) -> Response:
    user = signed_in(call)
    may_read_me(call)
    return views.object_list(call, direct_reports(call, user))


def user_info(call: Call, _keys: tuple[Key, ...]) -> Response:
    """OpenID Connect's user info, for a token of Graph with the scope openid.

    Source: https://learn.microsoft.com/entra/identity-platform/userinfo.
    """
    user = signed_in(call)
    if "openid" not in call.scopes:
        raise denied()
    shown = user_views.user(user)
    claims = {
        "sub": subject(user.object_id, call.entry.caller),
        "name": user.display_name,
        "family_name": shown["surname"],
        "given_name": shown["givenName"],
        "email": shown["mail"],
    }
    return Response(200, (("Content-Type", "application/json;charset=utf-8"),), json_body(claims))


def _owned(call: Call, _keys: tuple[Key, ...]) -> Response:
    return views.object_list(call, owned_objects(call, signed_in(call)))


def _owned_applications(call: Call, _keys: tuple[Key, ...]) -> Response:
    owned = [item for item in owned_objects(call, signed_in(call)) if isinstance(item, Application)]
    return views.application_list(call, owned)


def _revoke(call: Call, _keys: tuple[Key, ...]) -> Response:
    only(json_object(call), frozenset(), "revokeSignInSessions")
    return revoke_sessions(call, signed_in(call))


def signed_in(call: Call) -> User:
    """On whose behalf the call is made. Raises GraphError 400 without a user."""
    if call.user is None:
        raise GraphError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
    if call.user.object_id not in call.home().users:
        raise denied()
    return call.user


ROUTES = (
    ("GET", "me", "getMe", _me),
    ("GET", "me/manager", "getManager", _manager),
    ("GET", "me/directReports", "listDirectReports", _reports),
    ("GET", "me/ownedObjects", "listMyOwnedObjects", _owned),
    ("GET", "me/ownedObjects/application", "listMyOwnedApplications", _owned_applications),
    ("POST", "me/revokeSignInSessions", "revokeSignInSessions", _revoke),
)
