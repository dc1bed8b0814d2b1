"""Directory objects as Graph writes them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

from entra_emulator.core.clock import graph_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.app_policies import Policy
from entra_emulator.directory.catalogue import GRAPH_SCOPES, ROLE_IDS, role_id
from entra_emulator.directory.directory import (
    GRAPH_APP_ID,
    Application,
    Assignee,
    DirectoryObject,
    FederatedCredential,
    KeyCredential,
    PasswordCredential,
    ServicePrincipal,
    Tenant,
    User,
)
from entra_emulator.directory.grants import Consent, Grant
from entra_emulator.directory.groups import Group
from entra_emulator.directory.roles import DirectoryRole
from entra_emulator.directory.world import Call
from entra_emulator.graph.declared import APPLICATION, GROUP, PRINCIPAL, USER, with_defaults
from entra_emulator.graph.errors import in_beta, success
from entra_emulator.graph.odata import choose_each, collection_of, selected
from entra_emulator.graph.permissions import sees_groups, sees_users
from entra_emulator.graph.policy_types import shown_restrictions
from entra_emulator.graph.user_views import USER_DEFAULT, user


def password(item: PasswordCredential) -> dict[str, Any]:
    """A client secret as a read shows it: never its value. Source: https://learn.microsoft.com/graph/api/resources/passwordcredential."""
    return {
        "customKeyIdentifier": item.custom_key_identifier,
        "displayName": item.display_name,
        "endDateTime": graph_time(item.end),
        "hint": item.hint,
        "keyId": item.key_id,
        "secretText": None,
        "startDateTime": graph_time(item.start),
    }


def key(item: KeyCredential, *, with_key: bool) -> dict[str, Any]:
    """A certificate; its bytes only where they were selected. Source: https://learn.microsoft.com/graph/api/resources/keycredential."""
    return {
        "customKeyIdentifier": item.custom_key_identifier or (item.sha1.hex().upper() if item.thumbprinted else None),
        "displayName": item.display_name,
        "endDateTime": graph_time(item.end),
        "key": base64.b64encode(item.der).decode("ascii") if with_key else None,
        "keyId": item.key_id,
        "startDateTime": graph_time(item.start),
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
    }


def application(call: Call, item: Application, *, with_keys: bool = False) -> dict[str, Any]:
    """An application as the answering replica sees it."""
    declared = with_defaults(APPLICATION, item.properties)
    declared["api"]["requestedAccessTokenVersion"] = item.token_version
    declared["info"]["logoUrl"] = None
    kind = {"@odata.type": "#microsoft.graph.agentIdentityBlueprint"} if item.blueprint else {}
    passwords = sorted(item.passwords_seen("graph", call.replica, call.now), key=lambda secret: -secret.start)
    return {
        "id": item.object_id,
        "deletedDateTime": graph_time(item.deleted_at) if item.deleted_at is not None else None,
        "appId": item.app_id,
        "applicationTemplateId": item.template_id,
        "disabledByMicrosoftStatus": None,
        "createdDateTime": graph_time(item.created_at),
        "displayName": item.display_name,
        "isDisabled": item.disabled or None,
        "identifierUris": list(item.identifier_uris),
        "publisherDomain": call.home().domains[0],
        "signInAudience": item.audience,
        "certification": None,
        "logo": None,
        "verifiedPublisher": _NOT_VERIFIED,
        **kind,
        **declared,
        "keyCredentials": [
            key(certificate, with_key=with_keys) for certificate in item.keys_seen("graph", call.replica, call.now)
        ],
        "passwordCredentials": [password(secret) for secret in passwords],
    }


def owner_tenant(call: Call, item: ServicePrincipal) -> str:
    """The tenant that the application of a service principal is registered in, which may be another one.

    Source: https://learn.microsoft.com/graph/api/resources/serviceprincipal.
    """
    own = call.world.directory.published(item.app_id)
    return item.tenant_id if own is None else own.tenant_id


def principal(call: Call, item: ServicePrincipal) -> dict[str, Any]:
    """A service principal as the answering replica sees it."""
    declared = with_defaults(PRINCIPAL, item.properties)
    declared["info"]["logoUrl"] = None
    own = call.world.directory.published(item.app_id)
    return {
        "id": item.object_id,
        "deletedDateTime": graph_time(item.deleted_at) if item.deleted_at is not None else None,
        "accountEnabled": item.enabled,
        "appDescription": own.properties.get("description") if own else None,
        "appDisplayName": item.display_name,
        "appId": item.app_id,
        "appOwnerOrganizationId": owner_tenant(call, item),
        "applicationTemplateId": item.template_id,
        "createdDateTime": graph_time(item.created_at),
        "disabledByMicrosoftStatus": None,
        "displayName": item.display_name,
        "signInAudience": own.audience if own else None,
        "verifiedPublisher": _NOT_VERIFIED,
        **declared,
        "appRoles": app_roles(item, own),
        "oauth2PermissionScopes": permission_scopes(item, own),
        "servicePrincipalNames": [item.app_id, *item.names],
        "servicePrincipalType": item.service_principal_type,
        "keyCredentials": [
            key(certificate, with_key=False) for certificate in item.keys_seen("graph", call.replica, call.now)
        ],
        "passwordCredentials": [password(secret) for secret in item.passwords_seen("graph", call.replica, call.now)],
    }


def grants(item: Assignee, tenant: Tenant, replica: int, now: float) -> list[dict[str, Any]]:
    """The app roles that were given to somebody."""
    assignments = []
    for item_grant in item.grants:
        resource = tenant.principal_of(item_grant.resource_app_id)
        if resource is not None and item_grant.presence.visible("graph", replica, now):
            assignments.append(grant(item_grant, item, resource))
    return assignments


def grant(item: Grant, principal: Assignee, resource: ServicePrincipal) -> dict[str, Any]:
    """An app role assignment. Source: https://learn.microsoft.com/graph/api/resources/approleassignment."""
    return {
        "id": item.id,
        "deletedDateTime": None,
        "appRoleId": item.role_id or role_id(item.role),
        "createdDateTime": graph_time(item.created_at),
        "principalDisplayName": principal.display_name,
        "principalId": principal.object_id,
        "principalType": type(principal).__name__,
        "resourceDisplayName": resource.display_name,
        "resourceId": resource.object_id,
    }


def consent(item: Consent, tenant: Tenant) -> dict[str, Any]:
    """A grant of delegated permissions. Source: https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant."""
    client, resource = tenant.principal_of(item.app_id), tenant.principal_of(item.resource_app_id)
    return {
        "id": item.id,
        "clientId": client.object_id if client else None,
        "consentType": "AllPrincipals" if item.user_id is None else "Principal",
        "principalId": item.user_id,
        "resourceId": resource.object_id if resource else None,
        "scope": " ".join(sorted(item.scopes)),
    }


def app_roles(item: ServicePrincipal, own: Application | None) -> list[dict[str, Any]]:
    """The application permissions that a resource offers: Graph's own, or those of its application."""
    if item.app_id == GRAPH_APP_ID:
        return [
            {
                "allowedMemberTypes": ["Application"],
                "description": name,
                "displayName": name,
                "id": guid,
                "isEnabled": True,
                "origin": "Application",
                "value": name,
            }
            for name, guid in ROLE_IDS.items()
        ]
    return [role | {"origin": "Application"} for role in _of_either(item, own, "appRoles")]


def permission_scopes(item: ServicePrincipal, own: Application | None) -> list[dict[str, Any]]:
    """The delegated permissions that a resource offers."""
    if item.app_id == GRAPH_APP_ID:
        return [
            {
                "adminConsentDescription": scope.title,
                "adminConsentDisplayName": scope.title,
                "id": scope.id,
                "isEnabled": True,
                "type": "Admin" if scope.admin else "User",
                "userConsentDescription": scope.title,
                "userConsentDisplayName": scope.title,
                "value": name,
            }
            for name, scope in GRAPH_SCOPES.items()
        ]
    return _of_either(item, own, "oauth2PermissionScopes")


def _of_either(item: ServicePrincipal, own: Application | None, name: str) -> list[dict[str, Any]]:
    """What the application declares is its principal's, too, until something else is set on the principal itself."""
    declared = (own.properties.get("api") or {} if name == "oauth2PermissionScopes" else own.properties) if own else {}
    return [dict(entry) for entry in item.properties.get(name) or declared.get(name) or ()]


def federated(call: Call, item: FederatedCredential) -> dict[str, Any]:
    """A federated identity credential."""
    return {
        "id": item.id,
        "name": item.name,
        "issuer": item.issuer,
        "subject": item.subject or None,
        "description": item.description,
        "audiences": list(item.audiences),
        **({"claimsMatchingExpression": _expression(item)} if in_beta(call) else {}),
    }


def _expression(item: FederatedCredential) -> dict[str, Any] | None:
    """Source: https://learn.microsoft.com/graph/api/resources/federatedidentityexpression (beta)."""
    return {"value": item.expression, "languageVersion": 1} if item.expression else None


def directory_objects(
    call: Call, items: Iterable[DirectoryObject | DirectoryRole], names: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """A mixed list, each with its type. Of a kind that the caller may not read, only the id is shown; the rest is null.

    Of users these names are shown, or the usual ones.

    Source: https://learn.microsoft.com/graph/permissions-overview (limited information for inaccessible member objects).
    """
    objects = []
    wanted = names or USER_DEFAULT
    for item in items:
        if isinstance(item, User):
            known = {name: value for name, value in user(item).items() if name in wanted or name == "id"}
            body = known if sees_users(call) else dict.fromkeys(known) | {"id": item.object_id}
            objects.append({"@odata.type": "#microsoft.graph.user", **body})
        elif isinstance(item, Group):
            body = group(item)
            body = body if sees_groups(call) else dict.fromkeys(body) | {"id": item.object_id}
            objects.append({"@odata.type": "#microsoft.graph.group", **body})
        elif isinstance(item, DirectoryRole):
            objects.append(typed_role(item))
        elif isinstance(item, ServicePrincipal):
            objects.append({"@odata.type": "#microsoft.graph.servicePrincipal", **principal(call, item)})
        else:
            objects.append({"@odata.type": "#microsoft.graph.application"} | application(call, item))
    return objects


def object_list(call: Call, items: Iterable[DirectoryObject | DirectoryRole]) -> Response:
    """A mixed list as an answer, in pages, or what of it the path asks for. A query may name what any kind of object has."""
    kind, form = call.listed
    if kind:
        items = [item for item in items if isinstance(item, OBJECT_KINDS[kind])]
    if form == "$ref":
        return success(call, {"value": [_reference(call, item) for item in items]}, "Collection($ref)")
    names = frozenset[str]() if form == "$count" else selected(call)
    return collection_of(
        call,
        items,
        lambda item: directory_objects(call, [item], names)[0],
        lambda item: item.object_id,
        "directoryObjects",
        OBJECT_PROPERTIES,
    )


def _reference(call: Call, item: DirectoryObject | DirectoryRole) -> dict[str, str]:
    """Source: https://learn.microsoft.com/graph/api/group-list-members (of $ref)."""
    kind = f"Microsoft.DirectoryServices.{type(item).__name__}"
    return {"@odata.id": f"{call.host}/v2/{call.home().id}/directoryObjects/{item.object_id}/{kind}"}


def application_list(call: Call, items: Sequence[Application]) -> Response:
    """Applications that stand beside an object, in pages."""
    known = frozenset(application(call, items[0])) if items else frozenset()
    return collection_of(
        call, items, lambda item: application(call, item), lambda item: item.object_id, "applications", known
    )


def expanded_objects(
    call: Call, items: Iterable[DirectoryObject | DirectoryRole], names: frozenset[str]
) -> list[dict[str, Any]]:
    """A mixed list as $expand shows it, with these names where it has a $select. Raises GraphError 400 for unknown ones."""
    rows = directory_objects(call, items, names)
    return choose_each(rows, names, OBJECT_PROPERTIES)


def group(item: Group) -> dict[str, Any]:
    """A group. Source: https://learn.microsoft.com/graph/api/resources/group."""
    return {
        "id": item.object_id,
        "deletedDateTime": graph_time(item.deleted_at) if item.deleted_at is not None else None,
        "createdDateTime": graph_time(item.created_at),
        "displayName": item.display_name,
        "mail": None,
        "mailEnabled": item.mail_enabled,
        "mailNickname": item.mail_nickname,
        "renewedDateTime": graph_time(item.created_at),
        "securityEnabled": item.security_enabled,
        **with_defaults(GROUP, item.properties),
    }


def directory_role(item: DirectoryRole) -> dict[str, Any]:
    """A directory role. Source: https://learn.microsoft.com/graph/api/resources/directoryrole."""
    return {
        "id": item.object_id,
        "deletedDateTime": None,
        "description": None,
        "displayName": item.name,
        "roleTemplateId": item.template_id,
    }


def typed_role(item: DirectoryRole) -> dict[str, Any]:
    """The same with its type, as in lists of objects of several kinds."""
    return {"@odata.type": "#microsoft.graph.directoryRole", **directory_role(item)}


def policy(item: Policy) -> dict[str, Any]:
    """An app management policy."""
    shared = {"id": item.id, "displayName": item.display_name, "description": item.description}
    if item.id == DEFAULT_POLICY_ID:
        return {
            **shared,
            "isEnabled": item.enabled,
            "applicationRestrictions": shown_restrictions(item.restrictions),
            "servicePrincipalRestrictions": shown_restrictions(item.principal_restrictions),
        }
    return {**shared, "isEnabled": item.enabled, "restrictions": shown_restrictions(item.restrictions)}


OBJECT_PROPERTIES = frozenset({
    "accountEnabled", "appDescription", "appDisplayName", "appId", "appOwnerOrganizationId", "applicationTemplateId",
    "certification", "createdDateTime", "deletedDateTime", "disabledByMicrosoftStatus", "displayName", "id", "identifierUris",
    "isDisabled", "keyCredentials", "logo", "mail", "mailEnabled", "mailNickname", "passwordCredentials", "publisherDomain",
    "renewedDateTime", "roleTemplateId", "securityEnabled", "servicePrincipalNames", "servicePrincipalType", "signInAudience",
    "userPrincipalName", "verifiedPublisher", *APPLICATION, *PRINCIPAL, *USER, *GROUP,
})  # fmt: skip
"""The properties that directory objects have, of whatever kind."""

OBJECT_KINDS: dict[str, type[DirectoryObject | DirectoryRole]] = {
    kind.__name__.lower(): kind for kind in (User, Group, Application, ServicePrincipal, DirectoryRole)
}
"""By their names in lower case."""

DEFAULT_POLICY_ID = "00000000-0000-0000-0000-000000000000"

_NOT_VERIFIED = {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None}
