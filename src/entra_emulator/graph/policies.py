"""App management policies: the tenant's default, and those assigned to applications.

Source: learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy and .../appmanagementpolicy (one for an application, in
place of the tenant's).
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.clock import parse_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.credentials import duration
from entra_emulator.directory.directory import Policy, as_guid, new_guid
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_text, text_or_none, wrong_type
from entra_emulator.graph.errors import bad_request, empty, not_found, success
from entra_emulator.graph.lookup import Key, the_application
from entra_emulator.graph.permissions import may_read_policies, may_write_policies
from entra_emulator.graph.writes import committed

_CONTEXT = "policies/appManagementPolicies"
_DEFAULT = "policies/defaultAppManagementPolicy/$entity"


def _get_default(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_policies(call)
    return success(call, views.policy(call.home().default_policy), _DEFAULT)


def _update_default(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    _change(call.home().default_policy, json_object(call), "applicationRestrictions")
    call.entry.committed = True
    return empty(call)


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_policies(call)
    return success(call, {"value": [views.policy(item) for item in call.home().policies.values()]}, _CONTEXT)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_policies(call)
    return success(call, views.policy(_one(call, keys[0][1])), f"{_CONTEXT}/$entity")


def _create(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    body = json_object(call)
    policy = Policy(new_guid(call.world.rng), needed_text(body, "displayName"), "", enabled=False)
    _change(policy, body, "restrictions")
    call.home().policies[policy.id] = policy
    call.entry.committed = True
    return success(call, views.policy(policy), f"{_CONTEXT}/$entity", 201)


def _delete(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    del call.home().policies[_one(call, keys[0][1]).id]
    call.entry.committed = True
    return empty(call)


def _assigned(call: Call, keys: tuple[Key, ...]) -> Response:
    application = the_application(call, keys[0], write=False)
    policies = call.home().policies
    value = [views.policy(policies[policy_id]) for policy_id in application.policy_ids if policy_id in policies]
    return success(call, {"value": value}, _CONTEXT)


def _assign(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    application = the_application(call, keys[0], write=False)
    reference = needed_text(json_object(call), "@odata.id")
    policy = _one(call, as_guid(reference.rstrip("/").rpartition("/")[2]) or reference)
    if any(policy_id in call.home().policies for policy_id in application.policy_ids):
        raise bad_request("An app management policy is already assigned to this application.")
    application.policy_ids = [policy.id]
    committed(call, application)
    return empty(call)


def _unassign(call: Call, keys: tuple[Key, ...]) -> Response:
    may_write_policies(call)
    application = the_application(call, keys[0], write=False)
    if keys[1][1] not in application.policy_ids:
        raise not_found(keys[1][1][:100])
    application.policy_ids.remove(keys[1][1])
    committed(call, application)
    return empty(call)


def _one(call: Call, policy_id: str) -> Policy:
    policy = call.home().policies.get(policy_id)
    if policy is None:
        raise not_found(policy_id[:100])
    return policy


def _change(policy: Policy, body: dict[str, Any], restrictions: str) -> None:
    """Applies all members of the body, or none."""
    enabled = body.get("isEnabled", policy.enabled)
    if not isinstance(enabled, bool):
        raise wrong_type("isEnabled", "Edm.Boolean")
    name = text_or_none(body, "displayName") or policy.display_name
    description = text_or_none(body, "description") or policy.description
    rules = body.get(restrictions)
    if rules is not None:
        check_rules(rules)
        policy.restrictions = rules
    policy.enabled, policy.display_name, policy.description = enabled, name, description


def check_rules(rules: Any) -> None:
    """Refuses restrictions that could not be applied later. Raises GraphError 400."""
    if not isinstance(rules, dict):
        raise wrong_type("restrictions", "microsoft.graph.appManagementConfiguration")
    for part in ("passwordCredentials", "keyCredentials"):
        items = rules.get(part) or []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise wrong_type(part, "Collection")
        for item in items:
            _check_rule(item)


def _check_rule(rule: dict[str, Any]) -> None:
    longest = rule.get("maxLifetime")
    if longest is not None and duration(longest) is None:
        raise wrong_type("maxLifetime", "Edm.Duration")
    since = rule.get("restrictForAppsCreatedAfterDateTime")
    if since is None:
        return
    try:
        parse_time(since if isinstance(since, str) else "")
    except ValueError as error:
        raise wrong_type("restrictForAppsCreatedAfterDateTime", "Edm.DateTimeOffset") from error


ROUTES = (
    ("GET", "policies/defaultAppManagementPolicy", "getDefaultAppManagementPolicy", _get_default),
    ("PATCH", "policies/defaultAppManagementPolicy", "updateDefaultAppManagementPolicy", _update_default),
    ("GET", "policies/appManagementPolicies", "listAppManagementPolicies", _list),
    ("POST", "policies/appManagementPolicies", "createAppManagementPolicy", _create),
    ("GET", "policies/appManagementPolicies/{}", "getAppManagementPolicy", _get),
    ("DELETE", "policies/appManagementPolicies/{}", "deleteAppManagementPolicy", _delete),
    ("GET", "applications/{}/appManagementPolicies", "listAssignedPolicies", _assigned),
    ("POST", "applications/{}/appManagementPolicies/$ref", "assignAppManagementPolicy", _assign),
    ("DELETE", "applications/{}/appManagementPolicies/{}/$ref", "unassignAppManagementPolicy", _unassign),
)
