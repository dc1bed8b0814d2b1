"""App management policies: the tenant's default, and those assigned to applications.

Source: learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy and .../appmanagementpolicy (one for an application, in
place of the tenant's).
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.app_policies import Policy
from entra_emulator.directory.directory import Application, Holder, ServicePrincipal, as_guid, new_guid
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_text, only_members, text_or_none, wrong_type
from entra_emulator.graph.errors import bad_request, empty, not_found, success
from entra_emulator.graph.lookup import Key, reference_in, the_application, the_principal
from entra_emulator.graph.odata import collection, entity
from entra_emulator.graph.permissions import (
    may_read_assignments_of_policies,
    may_read_policies,
    may_write_policies,
)
from entra_emulator.graph.policy_types import read_restrictions
from entra_emulator.graph.writes import committed, note_change

_CONTEXT = "policies/appManagementPolicies"
_DEFAULT = "policies/defaultAppManagementPolicy"
_DEFAULT_RESTRICTIONS = {
    "applicationRestrictions": "restrictions",
    "servicePrincipalRestrictions": "principal_restrictions",
}
_MEMBERS = frozenset({"id", "displayName", "description", "isEnabled"})


def _get_default(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_policies(call)
    return entity(call, views.policy(call.home().default_policy), _DEFAULT)


def _update_default(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    policy = call.home().default_policy
    _change(policy, json_object(call), _DEFAULT_RESTRICTIONS)
    _noted(call, policy)
    return empty(call)


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_policies(call)
    return collection(call, [views.policy(item) for item in call.home().policies.values()], _CONTEXT)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_policies(call)
    return entity(call, views.policy(_one(call, keys[0][1])), _CONTEXT)


def _create(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    body = json_object(call)
    policy = Policy(new_guid(call.world.rng), needed_text(body, "displayName"), "", enabled=False)
    _change(policy, body, {"restrictions": "restrictions"})
    call.home().policies[policy.id] = policy
    _noted(call, policy)
    return success(call, views.policy(policy), f"{_CONTEXT}/$entity", 201)


def _delete(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    policy = call.home().policies.pop(_one(call, keys[0][1]).id)
    _noted(call, policy)
    return empty(call)


def _update(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    policy = _one(call, keys[0][1])
    _change(policy, json_object(call), {"restrictions": "restrictions"})
    _noted(call, policy)
    return empty(call)


def _applies_to(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_assignments_of_policies(call)
    policy, tenant = _one(call, keys[0][1]), call.home()
    holders: list[Application | ServicePrincipal] = [*tenant.applications.values(), *tenant.principals.values()]
    return views.object_list(call, [item for item in holders if policy.id in item.policy_ids])


def _of_application(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_policies(call)
    return _assigned(call, the_application(call, keys[0], write=False))


def _of_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_policies(call)
    return _assigned(call, the_principal(call, keys[0], write=False))


def _assigned(call: Call, holder: Holder) -> Response:
    policies = call.home().policies
    value = [views.policy(policies[policy_id]) for policy_id in holder.policy_ids if policy_id in policies]
    return collection(call, value, _CONTEXT)


def _assign_to_application(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    return _assign(call, the_application(call, keys[0], write=False))


def _assign_to_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    return _assign(call, the_principal(call, keys[0], write=False))


def _assign(call: Call, holder: Holder) -> Response:
    reference = reference_in(call)
    policy = _one(call, as_guid(reference.rstrip("/").rpartition("/")[2]) or reference)
    if any(policy_id in call.home().policies for policy_id in holder.policy_ids):
        raise bad_request("An app management policy is already assigned to this object.")
    holder.policy_ids = [policy.id]
    committed(call, holder, linked=True)
    return empty(call)


def _unassign_from_application(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    return _unassign(call, the_application(call, keys[0], write=False), keys[1][1])


def _unassign_from_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    return _unassign(call, the_principal(call, keys[0], write=False), keys[1][1])


def _unassign(call: Call, holder: Holder, policy_id: str) -> Response:
    if policy_id not in holder.policy_ids:
        raise not_found(policy_id[:100])
    holder.policy_ids.remove(policy_id)
    committed(call, holder, linked=True)
    return empty(call)


def _noted(call: Call, policy: Policy) -> None:
    note_change(call, policy.id, policy.display_name, "Policy")


def _one(call: Call, policy_id: str) -> Policy:
    policy = call.home().policies.get(policy_id)
    if policy is None:
        raise not_found(policy_id[:100])
    return policy


def _change(policy: Policy, body: dict[str, Any], restrictions: dict[str, str]) -> None:
    """Applies all members of the body, or none. `restrictions` are those of this kind of policy, each with its field."""
    only_members(body, _MEMBERS | restrictions.keys(), "microsoft.graph.appManagementPolicy")
    enabled = body.get("isEnabled", policy.enabled)
    if not isinstance(enabled, bool):
        raise wrong_type("isEnabled", "Edm.Boolean")
    name = needed_text(body, "displayName") if "displayName" in body else policy.display_name
    description = text_or_none(body, "description") or "" if "description" in body else policy.description
    changes = {
        field: read_restrictions(member, body[member]) for member, field in restrictions.items() if member in body
    }
    for field, rules in changes.items():
        setattr(policy, field, getattr(policy, field) | rules)
    policy.enabled, policy.display_name, policy.description = enabled, name, description


ROUTES = (
    ("GET", "policies/defaultAppManagementPolicy", "getDefaultAppManagementPolicy", _get_default),
    ("PATCH", "policies/defaultAppManagementPolicy", "updateDefaultAppManagementPolicy", _update_default),
    ("GET", "policies/appManagementPolicies", "listAppManagementPolicies", _list),
    ("POST", "policies/appManagementPolicies", "createAppManagementPolicy", _create),
    ("GET", "policies/appManagementPolicies/{}", "getAppManagementPolicy", _get),
    ("DELETE", "policies/appManagementPolicies/{}", "deleteAppManagementPolicy", _delete),
    ("PATCH", "policies/appManagementPolicies/{}", "updateAppManagementPolicy", _update),
    ("GET", "policies/appManagementPolicies/{}/appliesTo", "listAppManagementPolicyAppliesTo", _applies_to),
    ("GET", "applications/{}/appManagementPolicies", "listAssignedPolicies", _of_application),
    ("POST", "applications/{}/appManagementPolicies/$ref", "assignAppManagementPolicy", _assign_to_application),
    (
        "DELETE",
        "applications/{}/appManagementPolicies/{}/$ref",
        "unassignAppManagementPolicy",
        _unassign_from_application,
    ),
    ("GET", "servicePrincipals/{}/appManagementPolicies", "listAssignedPolicies", _of_principal),
    ("POST", "servicePrincipals/{}/appManagementPolicies/$ref", "assignAppManagementPolicy", _assign_to_principal),
    (
        "DELETE",
        "servicePrincipals/{}/appManagementPolicies/{}/$ref",
        "unassignAppManagementPolicy",
        _unassign_from_principal,
    ),
)
