"""What an application may hold at most, by whom it lets sign in.

Source of the numbers: https://learn.microsoft.com/entra/identity-platform/supported-accounts-validation, and of redirect URIs
https://learn.microsoft.com/entra/identity-platform/reply-url. The texts of refusals are assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entra_emulator.directory.directory import PERSONAL_AUDIENCES
from entra_emulator.directory.redirects import PLATFORMS
from entra_emulator.graph.errors import bad_request

_MOST_APIS, _LONGEST_TAG, _LONGEST_LOGOUT = 50, 256, 255


@dataclass(frozen=True, slots=True)
class _Limits:
    name: int
    identifier_uri: int
    identifier_uris: int
    redirect_uris: int
    permissions: int
    permissions_of_one_api: int
    scope_name: int
    scopes: int
    clients: int
    scopes_of_one_client: int


_UNLIMITED = 1_000_000
_OF_ORGANIZATIONS = _Limits(120, 255, _UNLIMITED, 256, 400, _UNLIMITED, 120, _UNLIMITED, _UNLIMITED, _UNLIMITED)
_OF_PEOPLE = _Limits(90, 120, 50, 100, 200, 30, 40, 100, 100, 30)


def check_limits(name: str, audience: str, identifier_uris: Sequence[str], properties: Mapping[str, Any]) -> None:
    """Raises GraphError 400 where an application for this audience cannot have this name, these URIs and these properties."""
    limits = _OF_PEOPLE if audience in PERSONAL_AUDIENCES else _OF_ORGANIZATIONS
    _check("displayName", len(name) <= limits.name)
    fits = len(identifier_uris) <= limits.identifier_uris and all(
        len(uri) <= limits.identifier_uri and "*" not in uri for uri in identifier_uris
    )
    _check("identifierUris", fits)
    redirects = sum(len((properties.get(platform) or {}).get("redirectUris") or ()) for platform in PLATFORMS)
    _check("redirectUris", redirects <= limits.redirect_uris)
    _check("tags", _tags_fit(properties.get("tags") or ()))
    logout = (properties.get("web") or {}).get("logoutUrl") or ""
    _check("logoutUrl", len(logout) <= _LONGEST_LOGOUT and not logout.lower().startswith("http:"))
    _check("requiredResourceAccess", _permissions_fit(limits, properties.get("requiredResourceAccess") or ()))
    _check_api(limits, properties)


def _tags_fit(tags: Sequence[str]) -> bool:
    return len(set(tags)) == len(tags) and all(
        1 <= len(tag) <= _LONGEST_TAG and not any(letter.isspace() for letter in tag) for tag in tags
    )


def _permissions_fit(limits: _Limits, apis: Sequence[Mapping[str, Any]]) -> bool:
    numbers = [len(api["resourceAccess"]) for api in apis]
    return (
        len(apis) <= _MOST_APIS
        and sum(numbers) <= limits.permissions
        and max(numbers, default=0) <= limits.permissions_of_one_api
    )


def _check_api(limits: _Limits, properties: Mapping[str, Any]) -> None:
    api = properties.get("api") or {}
    scopes, clients = api.get("oauth2PermissionScopes") or (), api.get("preAuthorizedApplications") or ()
    _check_entitlements([*scopes, *(properties.get("appRoles") or ())])
    names = all(len(scope.get("value") or "") <= limits.scope_name for scope in scopes)
    _check("oauth2PermissionScopes", names and len(scopes) <= limits.scopes)
    most = max((len(client.get("delegatedPermissionIds") or ()) for client in clients), default=0)
    _check("preAuthorizedApplications", len(clients) <= limits.clients and most <= limits.scopes_of_one_client)


def _check_entitlements(entries: Sequence[Mapping[str, Any]]) -> None:
    """Ids and values of roles and scopes are unique in an application, but a role and a scope may share both.

    Sources: https://learn.microsoft.com/graph/api/resources/approle and .../permissionscope.
    """
    for key in ("id", "value"):
        for of_roles in (True, False):
            given = [str(item[key]).lower() for item in entries if item.get(key) and _is_role(item) is of_roles]
            if len(set(given)) < len(given):
                raise bad_request(f"It contains duplicate values of '{key}', which must be unique in an application.")


def _is_role(entry: Mapping[str, Any]) -> bool:
    return "allowedMemberTypes" in entry


def _check(name: str, fits: bool) -> None:
    if not fits:
        raise bad_request(f"Invalid value specified for property '{name}' of resource 'Application'.")
