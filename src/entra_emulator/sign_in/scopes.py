"""Delegated permissions: which there are, and reading the `scope` parameter."""

from __future__ import annotations

import uuid
from typing import Any

from entra_emulator.directory.catalogue import GRAPH_SCOPES, Scope, role_of
from entra_emulator.directory.directory import GRAPH_APP_ID, Application, Directory
from entra_emulator.directory.requested_scopes import RequestedScopes, ResourceScopes
from entra_emulator.directory.world import Call
from entra_emulator.tokens.sts_errors import StsError
from entra_emulator.tokens.tokens import find_resource

OIDC = frozenset({"openid", "profile", "email", "offline_access"})
DEFAULT = ".default"
_MOST_WORDS = 100


_IMPERSONATION = "user_impersonation"


def scopes_of(directory: Directory, resource_app_id: str) -> dict[str, Scope]:
    """The delegated permissions that a resource offers, by name: those it declares, or the one that every other API has."""
    if resource_app_id == GRAPH_APP_ID:
        return GRAPH_SCOPES
    resource = directory.application(resource_app_id)
    declared = (resource.properties.get("api") or {}).get("oauth2PermissionScopes") or () if resource else ()
    offered = {entry["value"]: _declared(entry) for entry in declared if entry.get("isEnabled") and entry.get("value")}
    fixed = str(uuid.uuid5(uuid.NAMESPACE_URL, f"scope:{resource_app_id}"))
    return offered or {_IMPERSONATION: Scope(fixed, "Access it as you")}


def _declared(entry: dict[str, Any]) -> Scope:
    """Source: https://learn.microsoft.com/graph/api/resources/permissionscope (`type` is User or Admin)."""
    title = entry.get("userConsentDisplayName") or entry.get("adminConsentDisplayName") or entry["value"]
    return Scope(str(entry["id"]).lower(), title, admin=entry.get("type") == "Admin")


def read_scopes(call: Call, application: Application, text: str) -> RequestedScopes:
    """Reads a `scope` parameter; names of permissions match in any case.

    Raises StsError 70011 for what is malformed, 500011 for an unknown resource, 650053 for an unknown permission.
    """
    words = text.split()
    if not words or len(words) > _MOST_WORDS:
        raise _invalid(text, "A scope names at least one permission.")
    oidc = {word.lower() for word in words if word.lower() in OIDC}
    resources: dict[str, ResourceScopes] = {}
    for word in words:
        if word.lower() in OIDC:
            continue
        audience, slash, name = word.rpartition("/")
        if not name or (slash and not audience):
            raise _invalid(text, f"The scope {word} is not valid.")
        app_id = find_resource(call, audience)[0] if slash else GRAPH_APP_ID
        old = resources.get(app_id) or ResourceScopes(app_id, audience, audience + slash)
        if name == DEFAULT and slash:
            resources[app_id] = ResourceScopes(app_id, old.audience, old.prefix, old.names, default=True)
        else:
            permission = _known(call, application, app_id, name)
            resources[app_id] = ResourceScopes(app_id, old.audience, old.prefix, old.names | {permission}, old.default)
    resource_scopes = tuple(resources.values())
    if any(resource.default for resource in resource_scopes) and (len(resource_scopes) > 1 or resource_scopes[0].names):
        raise _invalid(text, ".default scope can't be combined with resource-specific scopes.")
    return RequestedScopes(frozenset(oidc), resource_scopes)


def configured(directory: Directory, application: Application) -> dict[str, set[str]]:
    """The delegated permissions in the application's own list of required permissions: resource app id -> names."""
    permissions: dict[str, set[str]] = {}
    for app_id, ids in required(application, "Scope").items():
        names = {name for name, scope in scopes_of(directory, app_id).items() if scope.id in ids}
        if names:
            permissions[app_id] = names
    return permissions


def configured_roles(application: Application) -> dict[str, set[str]]:
    """The application permissions in that list: resource app id -> names. Raises StsError 650056 for unknown ones."""
    permissions: dict[str, set[str]] = {}
    for app_id, ids in required(application, "Role").items():
        names = {role_of(item) for item in ids} if app_id == GRAPH_APP_ID else {None}
        if None in names:
            raise StsError(
                650056,
                "Misconfigured application. This could be due to one of the following: the client has not listed any "
                "permissions in the requested permissions in the client's application registration. Or, the admin has "
                "not consented in the tenant. Please contact your admin to fix the configuration or consent on behalf of "
                f"the tenant. Client app ID: {application.app_id}.",
            )
        permissions[app_id] = {name for name in names if name is not None}
    return permissions


def required(application: Application, kind: str) -> dict[str, set[str]]:
    """The ids of the permissions of one kind (`Scope` or `Role`) in `requiredResourceAccess`, by resource app id."""
    permissions: dict[str, set[str]] = {}
    for entry in application.properties.get("requiredResourceAccess", ()):
        for item in entry["resourceAccess"]:
            if item["type"] == kind:
                permissions.setdefault(entry["resourceAppId"], set()).add(item["id"])
    return permissions


def _known(call: Call, application: Application, app_id: str, name: str) -> str:
    lowercase = name.lower()
    for permission in scopes_of(call.world.directory, app_id):
        if permission.lower() == lowercase:
            return permission
    raise StsError(
        650053,
        f"The application '{application.display_name}' asked for scope '{name[:200]}' that doesn't exist on the "
        f"resource '{app_id}'. Contact the app vendor.",
    )


def _invalid(text: str, why: str) -> StsError:
    return StsError(
        70011,
        "The provided request must include a 'scope' input parameter. The provided value for the input parameter "
        f"'scope' is not valid. The scope {text[:500]} is not valid. {why}",
    )
