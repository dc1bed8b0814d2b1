"""Directory objects as Graph writes them."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from entra_emulator.core.clock import graph_time
from entra_emulator.directory.directory import (
    Application,
    FederatedCredential,
    KeyCredential,
    PasswordCredential,
    Policy,
    ServicePrincipal,
    Tenant,
    User,
)
from entra_emulator.directory.world import Call
from entra_emulator.graph.declared import APPLICATION, PRINCIPAL, with_defaults
from entra_emulator.graph.permissions import role_id


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
    passwords = sorted(item.passwords_seen("graph", call.replica, call.now), key=lambda secret: -secret.start)
    return {
        "id": item.object_id,
        "deletedDateTime": graph_time(item.deleted_at) if item.deleted_at is not None else None,
        "appId": item.app_id,
        "applicationTemplateId": None,
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
        **declared,
        "keyCredentials": [
            key(certificate, with_key=with_keys) for certificate in item.keys_seen("graph", call.replica, call.now)
        ],
        "passwordCredentials": [password(secret) for secret in passwords],
    }


def principal(call: Call, item: ServicePrincipal) -> dict[str, Any]:
    """A service principal as the answering replica sees it."""
    declared = with_defaults(PRINCIPAL, item.properties)
    declared["info"]["logoUrl"] = None
    own = call.world.directory.application(item.app_id)
    return {
        "id": item.object_id,
        "deletedDateTime": graph_time(item.deleted_at) if item.deleted_at is not None else None,
        "accountEnabled": item.enabled,
        "appDescription": own.properties.get("description") if own else None,
        "appDisplayName": item.display_name,
        "appId": item.app_id,
        "appOwnerOrganizationId": item.tenant_id,
        "applicationTemplateId": None,
        "createdDateTime": graph_time(item.created_at),
        "disabledByMicrosoftStatus": None,
        "displayName": item.display_name,
        "signInAudience": own.audience if own else None,
        "verifiedPublisher": _NOT_VERIFIED,
        **declared,
        "servicePrincipalNames": [item.app_id, *item.names],
        "servicePrincipalType": item.service_principal_type,
        "keyCredentials": [
            key(certificate, with_key=False) for certificate in item.keys_seen("graph", call.replica, call.now)
        ],
        "passwordCredentials": [password(secret) for secret in item.passwords_seen("graph", call.replica, call.now)],
    }


def grants(item: ServicePrincipal, tenant: Tenant, replica: int, now: float) -> list[dict[str, Any]]:
    """The application permissions of a service principal."""
    assignments = []
    for grant in item.grants:
        resource = tenant.principal_of(grant.resource_app_id)
        if resource is not None and grant.presence.visible("graph", replica, now):
            assignments.append(
                {
                    "id": grant.id,
                    "appRoleId": role_id(grant.role),
                    "principalDisplayName": item.display_name,
                    "principalId": item.object_id,
                    "principalType": "ServicePrincipal",
                    "resourceDisplayName": resource.display_name,
                    "resourceId": resource.object_id,
                }
            )
    return assignments


def federated(item: FederatedCredential) -> dict[str, Any]:
    """A federated identity credential."""
    return {
        "id": item.id,
        "name": item.name,
        "issuer": item.issuer,
        "subject": item.subject,
        "description": item.description,
        "audiences": list(item.audiences),
    }


def directory_objects(call: Call, items: Iterable[ServicePrincipal | User | Application]) -> list[dict[str, Any]]:
    """A mixed list, each with its type."""
    objects = []
    for item in items:
        if isinstance(item, User):
            objects.append({"@odata.type": "#microsoft.graph.user", **user(item)})
        elif isinstance(item, ServicePrincipal):
            objects.append({"@odata.type": "#microsoft.graph.servicePrincipal", **principal(call, item)})
        else:
            objects.append({"@odata.type": "#microsoft.graph.application", **application(call, item)})
    return objects


def user(item: User) -> dict[str, Any]:
    """A person's account."""
    given_name, _, family = item.display_name.rpartition(" ")
    return {
        "id": item.object_id,
        "businessPhones": [],
        "displayName": item.display_name,
        "givenName": given_name or None,
        "jobTitle": None,
        "mail": item.principal_name,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": family or None,
        "userPrincipalName": item.principal_name,
    }


def policy(item: Policy) -> dict[str, Any]:
    """An app management policy."""
    shared = {"id": item.id, "displayName": item.display_name, "description": item.description}
    if item.id == DEFAULT_POLICY_ID:
        empty: dict[str, Any] = {"passwordCredentials": [], "keyCredentials": []}
        both = {"applicationRestrictions": item.restrictions or empty, "servicePrincipalRestrictions": empty}
        return {**shared, "isEnabled": item.enabled, **both}
    return {**shared, "isEnabled": item.enabled, "restrictions": item.restrictions}


DEFAULT_POLICY_ID = "00000000-0000-0000-0000-000000000000"

_NOT_VERIFIED = {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None}
