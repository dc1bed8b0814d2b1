"""App management policies: which credentials a tenant allows on its applications and service principals.

Source: https://learn.microsoft.com/graph/api/resources/applicationauthenticationmethodpolicy. Status and text of a forbidden
lifetime: https://github.com/Azure/azure-cli/issues/28522; the status of a forbidden type is assumed.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.clock import parse_time
from entra_emulator.directory.credentials import duration
from entra_emulator.directory.directory import Application, Holder
from entra_emulator.directory.world import Call
from entra_emulator.faults.faults import Settings
from entra_emulator.graph.errors import GraphError
from entra_emulator.graph.policy_types import KEY_LIFETIME, PASSWORD_ADDITION, PASSWORD_LIFETIME


def check_password(call: Call, holder: Holder, start: float, end: float) -> None:
    """Raises GraphError 400 where the policy in force forbids such a client secret to this caller.

    A policy assigned to the object replaces the tenant's default one. Existing secrets are never touched.
    """
    for policy_id, rule in _in_force(call, holder, "passwordCredentials"):
        if rule["restrictionType"] == PASSWORD_ADDITION:
            raise GraphError(
                400,
                "CredentialTypeNotAllowedAsPerAppPolicy",
                f"Credential type not allowed as per assigned policy '{policy_id}'.",
            )
        if rule["restrictionType"] == PASSWORD_LIFETIME:
            _check_lifetime(policy_id, rule, end - start)


def check_certificate(call: Call, holder: Holder, start: float, end: float) -> None:
    """Raises GraphError 400 where the policy in force forbids this caller a certificate of that lifetime."""
    for policy_id, rule in _in_force(call, holder, "keyCredentials"):
        if rule["restrictionType"] == KEY_LIFETIME:
            _check_lifetime(policy_id, rule, end - start)


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


def _check_lifetime(policy_id: str, rule: dict[str, Any], lifetime: float) -> None:
    longest = duration(rule.get("maxLifetime"))
    if longest is not None and lifetime > longest:
        raise GraphError(
            400,
            "CredentialInvalidLifetimeAsPerAppPolicy",
            f"Credential lifetime exceeds the max value allowed as per assigned policy '{policy_id}'.",
        )


def _in_force(call: Call, holder: Holder, part: str) -> list[tuple[str, dict[str, Any]]]:
    """The rules that bind this caller for this object, each with the id of its policy."""
    tenant = call.home()
    default = tenant.default_policy
    own = isinstance(holder, Application)
    of_tenant = (default.restrictions if own else default.principal_restrictions) if default.enabled else {}
    rules = [(default.id, rule) for rule in of_tenant.get(part) or ()]
    policy = next((tenant.policies[item] for item in holder.policy_ids if item in tenant.policies), None)
    if policy is not None:
        of_policy = policy.restrictions.get(part) or () if policy.enabled else ()
        kinds = {rule["restrictionType"] for rule in of_policy}
        inherited = [(name, rule) for name, rule in rules if rule["restrictionType"] not in kinds]
        rules = [(policy.id, rule) for rule in of_policy] + (inherited if call.settings.policies_inherit else [])
    return [(name, rule) for name, rule in rules if _applies(rule, holder) and not _spared(call, rule)]


def _applies(rule: dict[str, Any], holder: Holder) -> bool:
    if rule.get("state") == "disabled":
        return False
    since = rule.get("restrictForAppsCreatedAfterDateTime")
    return not isinstance(since, str) or holder.created_at >= parse_time(since)


def _spared(call: Call, rule: dict[str, Any]) -> bool:
    """Whether the caller has a custom security attribute that exempts it: `id` is the set and the name, joined by `_`.

    Source: https://learn.microsoft.com/graph/api/resources/customsecurityattributeexemption.
    """
    tenant = call.home()
    caller = call.user or tenant.principals.get(call.caller_oid)
    attributes = caller.security_attributes if caller is not None else {}
    for exemption in (rule.get("excludeActors") or {}).get("customSecurityAttributes") or ():
        value = attributes.get(exemption["id"])
        if exemption["value"] in (value if isinstance(value, list) else [value]):
            return True
    return False
