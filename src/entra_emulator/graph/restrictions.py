"""App management policies: which credentials a tenant allows.

Source: https://learn.microsoft.com/graph/api/resources/applicationauthenticationmethodpolicy. Status and text of a forbidden
lifetime: https://github.com/Azure/azure-cli/issues/28522; the status of a forbidden type is assumed.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.clock import parse_time
from entra_emulator.directory.credentials import duration
from entra_emulator.directory.directory import Application, Tenant
from entra_emulator.faults.faults import Settings
from entra_emulator.graph.errors import GraphError


def check_password(tenant: Tenant, application: Application, start: float, end: float) -> None:
    """Raises GraphError 400 where the policy in force forbids such a client secret.

    A policy assigned to the application replaces the tenant's default one. Existing secrets are never touched.
    """
    policy_id, rules = _in_force(tenant, application, "passwordCredentials")
    for rule in rules:
        if not _applies(rule, application):
            continue
        kind = rule.get("restrictionType")
        if kind == "passwordAddition":
            raise GraphError(
                400,
                "CredentialTypeNotAllowedAsPerAppPolicy",
                f"Credential type not allowed as per assigned policy '{policy_id}'.",
            )
        longest = duration(rule.get("maxLifetime")) if kind == "passwordLifetime" else None
        if longest is not None and end - start > longest:
            raise _too_long(policy_id)


def check_certificate(tenant: Tenant, application: Application, start: float, end: float) -> None:
    """Raises GraphError 400 where the policy in force forbids a certificate of that lifetime."""
    policy_id, rules = _in_force(tenant, application, "keyCredentials")
    for rule in rules:
        longest = duration(rule.get("maxLifetime")) if rule.get("restrictionType") == "asymmetricKeyLifetime" else None
        if _applies(rule, application) and longest is not None and end - start > longest:
            raise _too_long(policy_id)


def check_size(settings: Settings, application: Application, extra: int = 1) -> None:
    """Raises GraphError 400 where the application cannot hold so many items more.

    Sources: about 1000 in https://learn.microsoft.com/entra/identity-platform/supported-accounts-validation; the text in
    https://github.com/microsoftgraph/microsoft-graph-docs/issues/21469 and vault-plugin-secrets-azure 81fae24 (client.go).
    """
    if application.item_count() + extra > settings.object_item_cap:
        raise GraphError(
            400,
            "Directory_ResourceSizeExceeded",
            "The size of the object has exceeded its limit. Please reduce the number of values and retry your request.",
        )


def _too_long(policy_id: str) -> GraphError:
    return GraphError(
        400,
        "CredentialInvalidLifetimeAsPerAppPolicy",
        f"Credential lifetime exceeds the max value allowed as per assigned policy '{policy_id}'.",
    )


def _in_force(tenant: Tenant, application: Application, part: str) -> tuple[str, list[dict[str, Any]]]:
    assigned = next(
        (tenant.policies[policy_id] for policy_id in application.policy_ids if policy_id in tenant.policies), None
    )
    policy = assigned or tenant.default_policy
    rules = policy.restrictions.get(part) or []
    return policy.id, [rule for rule in rules if isinstance(rule, dict)] if policy.enabled else []


def _applies(rule: dict[str, Any], application: Application) -> bool:
    if rule.get("state", "enabled") == "disabled":
        return False
    since = rule.get("restrictForAppsCreatedAfterDateTime")
    return not isinstance(since, str) or application.created_at > parse_time(since)
