"""The app management policies of a tenant, for lists: what each says of new credentials, and what it is assigned to.

https://learn.microsoft.com/graph/api/tenantappmanagementpolicy-get, .../appmanagementpolicy-list and
.../appmanagementpolicy-list-appliesto.
"""

from collections.abc import Iterator

from keyturn.errors import NeedsAction, Permanent, RefusalReason, Upstream
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.inventory import KeyKind, ListedPolicy, Policies, PolicyRule, PolicyScope
from keyturn.ports.use_reports import ReportTrouble, Unobservable
from keyturn.providers.azure.app_policies import (
    APPLICATIONS,
    CERTIFICATES,
    DEFAULT_POLICY,
    PRINCIPALS,
    SECRETS,
    Exemptions,
    Policy,
    Restricted,
    exemptions_of_caller,
)
from keyturn.providers.azure.capabilities import POLICY_READ, POLICY_READERS, READ_ALL, READERS, grant, may_hold
from keyturn.providers.azure.graph import Graph, GraphContext

_OTHERS = "/policies/appManagementPolicies"
_KINDS = {KeyKind.SECRET: SECRETS, KeyKind.CERTIFICATE: CERTIFICATES}
_OF_TENANT = {PolicyScope.APPLICATIONS: APPLICATIONS, PolicyScope.PRINCIPALS: PRINCIPALS}


@dataclass(frozen=True)
class PolicyLists:
    """Reads the policies of a tenant as the caller sees them. Changes nothing. Raises Retryable alone."""

    graph: Graph
    caller: GraphContext

    def read(self) -> Policies:
        """Return all of them; why not where that is refused. Repeatable."""
        if not may_hold(self.caller.token, POLICY_READERS):
            return Policies(trouble=self._not_permitted("policies", POLICY_READ))
        try:
            return self._read()
        except (NeedsAction, Permanent) as refusal:
            return Policies(trouble=self._refused(refusal))

    def _read(self) -> Policies:
        default = self.graph.read(self.caller, DEFAULT_POLICY)
        others = [
            policy
            for item in self.graph.items(self.caller, f"{_OTHERS}?$top=100")
            if (policy := Policy(item, own=True)).id
        ]
        if others and not may_hold(self.caller.token, READERS):
            return Policies(trouble=self._not_permitted("what policies are assigned to", READ_ALL))
        assigned = {object_id: policy.id for policy in others for object_id in self._assigned_to(policy)}
        of_tenant = {scope: Policy(default, own=False, part=part) for scope, part in _OF_TENANT.items()}
        exemptions = self._exemptions([*of_tenant.values(), *others])
        return Policies(
            (
                *(_listed(policy, scope, exemptions) for scope, policy in of_tenant.items()),
                *(_listed(policy, PolicyScope.ASSIGNED, exemptions) for policy in others),
            ),
            assigned,
        )

    def _assigned_to(self, policy: Policy) -> list[str]:
        """Return the ids of the objects that have the policy; none where it was deleted meanwhile."""
        try:
            items = list(self.graph.items(self.caller, f"{_OTHERS}/{policy.id}/appliesTo?$select=id&$top=999"))
        except NeedsAction as refusal:
            if refusal.code != "azure.application_not_found":
                raise
            return []
        return [str(item.get("id") or "").lower() for item in items]

    def _exemptions(self, policies: list[Policy]) -> Exemptions:
        kinds = [each.collection for each in _KINDS.values()]
        restrictions = (each for policy in policies for kind in kinds for each in policy.restrictions(kind))
        return exemptions_of_caller(self.graph, self.caller, restrictions)

    def _refused(self, refusal: Upstream) -> ReportTrouble:
        if refusal.reason is RefusalReason.PERMISSION:
            return self._not_permitted("policies", POLICY_READ)
        return ReportTrouble(Unobservable.PROVIDER, refusal.message, refusal.fix)

    def _not_permitted(self, what: str, permission: str) -> ReportTrouble:
        client_id = self.caller.token.client_id or self.caller.subject.app_id
        message = f"The connection may not read {what}: it lacks the permission {permission}."
        return ReportTrouble(Unobservable.PERMISSION, message, grant(client_id, permission))


def _listed(policy: Policy, scope: PolicyScope, exemptions: Exemptions) -> ListedPolicy:
    name = policy.name or ("Default policy of the tenant" if scope is not PolicyScope.ASSIGNED else policy.id)
    rules = (rule for kind, named in _KINDS.items() for rule in _rules(policy, kind, named, exemptions))
    return ListedPolicy(policy.id, name, scope, tuple(rules))


def _rules(policy: Policy, kind: KeyKind, named: Restricted, exemptions: Exemptions) -> Iterator[PolicyRule]:
    for each in policy.restrictions(named.collection):
        forbids, longest = each.kind in named.addition, each.longest if each.kind == named.lifetime else None
        if each.enabled and (forbids or longest is not None):
            yield PolicyRule(kind, forbids, longest, each.created_after, exemptions.spare(each))
