"""App management policies, read before the first write: do they let the caller add a secret or a certificate, and for how long?

What they look like: :mod:`keyturn.providers.azure.app_policies`.
"""

import json
import shlex
from collections.abc import Sequence
from datetime import timedelta

from keyturn.errors import Upstream
from keyturn.kit.counting import duration_in_words
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.sentences import upper_first
from keyturn.ports.preflight import PolicyReport, PolicyVerdict
from keyturn.ports.provider import RemoteApplication
from keyturn.providers.azure.app_policies import (
    DEFAULT_POLICY,
    Policy,
    Restricted,
    Restriction,
    exemptions_of_caller,
)
from keyturn.providers.azure.capabilities import ATTRIBUTES_READ, POLICY_READ, POLICY_READERS, grant, may_hold
from keyturn.providers.azure.error_mapping import principal_of
from keyturn.providers.azure.graph import Graph, GraphContext
from keyturn.providers.azure.policy_words import own_policy
from keyturn.providers.azure.responses import moment

TYPE_POLICY, LIFETIME_POLICY = "azure.type_policy", "azure.lifetime_policy"


@dataclass(frozen=True)
class Preflight:
    """Reads the policies that apply to one application. Changes nothing. Raises what Graph says."""

    graph: Graph
    caller: GraphContext
    application: RemoteApplication
    restricted: Restricted

    def report(self, lifetime: timedelta) -> PolicyReport:
        """Say whether a credential may be added that lives so long. Never raises what Graph says. Repeatable."""
        if not may_hold(self.caller.token, POLICY_READERS):
            return self._unknown("the connection may not read policies", grant(self._client_id, POLICY_READ))
        try:
            return self._judge(lifetime)
        except Upstream as error:
            return self._unknown(error.message.removesuffix("."), error.fix)

    def _judge(self, lifetime: timedelta) -> PolicyReport:
        policy = self._in_force()
        restrictions = [each for each in policy.restrictions(self.restricted.collection) if self._applies(each)]
        noun, name = self.restricted.noun, self.application.name
        exempt = self._exempt([each for each in restrictions if each.kind in self.restricted.kinds])
        surest_first = sorted(exempt, key=lambda each: exempt[each] is None)
        forbidding = [each for each in surest_first if each.kind in self.restricted.addition]
        for restriction in forbidding:
            if not exempt[restriction]:
                return self._forbidden(policy, restriction, unsure=exempt[restriction] is None)
        lasting = [each for each in surest_first if each.kind == self.restricted.lifetime and not exempt[each]]
        limits = [(each, each.longest) for each in lasting if each.longest is not None]
        longest = min((most for each, most in limits if exempt[each] is False), default=None)
        for restriction, most in limits:
            if most < lifetime:
                message = f"live for {duration_in_words(most)} at most, and not for {duration_in_words(lifetime)}."
                return self._shorter(policy, restriction, message, longest, unsure=exempt[restriction] is None)
        if forbidding:
            return PolicyReport(
                PolicyVerdict.ALLOWED,
                f"{policy.title} forbids a new {noun} on {name}, but exempts who signed in.",
                longest=longest,
            )
        return PolicyReport(PolicyVerdict.ALLOWED, f"No policy forbids a new {noun} on {name}.", longest=longest)

    # --- reading ------------------------------------------------------------------------------------------------------

    def _in_force(self) -> Policy:
        """Return the application's own policy, which is in force even if it restricts nothing, or the tenant's."""
        items, _ = self.graph.page(self.caller, f"/applications/{self.application.object_id}/appManagementPolicies")
        for item in items:
            return Policy(item, own=True)
        return Policy(self.graph.read(self.caller, DEFAULT_POLICY), own=False)

    def _applies(self, restriction: Restriction) -> bool:
        if not restriction.enabled:
            return False
        if restriction.created_after is None:
            return True
        path = f"/applications/{self.application.object_id}?$select=id,createdDateTime"
        created = moment(self.graph.read(self.caller, path).get("createdDateTime"))
        return created is None or created >= restriction.created_after

    def _exempt(self, restrictions: Sequence[Restriction]) -> dict[Restriction, bool | None]:
        """Say which of them exempt who signed in; None where that cannot be seen."""
        exemptions = exemptions_of_caller(self.graph, self.caller, restrictions)
        return {each: exemptions.spare(each) for each in restrictions}

    # --- words --------------------------------------------------------------------------------------------------------

    @property
    def _client_id(self) -> str:
        return self.caller.token.client_id or self.application.app_id

    def _unknown(self, why: str, fix: str | None) -> PolicyReport:
        return PolicyReport(
            PolicyVerdict.UNKNOWN,
            f"Whether a policy forbids a new {self.restricted.noun} on {self.application.name} is not known: {why}.",
            fix,
        )

    def _forbidden(self, policy: Policy, restriction: Restriction, *, unsure: bool) -> PolicyReport:
        message = (
            f"{policy.title} forbids a new {self.restricted.noun} on {self.application.name} ({restriction.kind})."
        )
        fix = upper_first(self._fix(policy, restriction))
        if unsure:
            message, fix = self._unsure(message, fix, restriction)
        verdict = PolicyVerdict.UNKNOWN if unsure else PolicyVerdict.REFUSED
        return PolicyReport(verdict, message, fix, self.restricted.instead, code=TYPE_POLICY)

    def _shorter(
        self,
        policy: Policy,
        restriction: Restriction,
        told: str,
        longest: timedelta | None,
        *,
        unsure: bool,
    ) -> PolicyReport:
        message = f"{policy.title} lets a {self.restricted.noun} of {self.application.name} {told}"
        fix = f"Rotate more often, or {self._fix(policy, restriction)}"
        if unsure:
            message, fix = self._unsure(message, fix, restriction)
        verdict = PolicyVerdict.UNKNOWN if unsure else PolicyVerdict.SHORTER
        return PolicyReport(verdict, message, fix, longest=longest, code=LIFETIME_POLICY)

    def _unsure(self, message: str, fix: str, restriction: Restriction) -> tuple[str, str]:
        """Return what to say where it cannot be seen whether who signs in is exempted."""
        attribute = restriction.exempting[0]
        unseen = (
            f"except for who has the custom security attribute {attribute.name} = '{attribute.value}'; whether the connection's "
            "principal has it cannot be seen."
        )
        to_see = f"To have it seen: {grant(self._client_id, ATTRIBUTES_READ)}"
        return f"{message.removesuffix('.')}, {unseen}", f"{fix} {to_see}"

    def _fix(self, policy: Policy, restriction: Restriction) -> str:
        if not restriction.exempting:
            return self._change(policy, restriction.kind)
        attribute = restriction.exempting[0]
        who = "users" if self.caller.token.on_behalf else "servicePrincipals"
        principal = self.caller.token.principal_id or principal_of(self._client_id)
        value = {
            "@odata.type": "#Microsoft.DirectoryServices.CustomSecurityAttributeValue",
            attribute.key: attribute.value,
        }
        body = shlex.quote(json.dumps({"customSecurityAttributes": {attribute.set: value}}))
        return (
            f"exempt who signs in: give the custom security attribute {attribute.name} the value '{attribute.value}' on the "
            f"principal {principal}. It takes the role Attribute Assignment Administrator: `az rest --method patch --url "
            f"{self._url(f'/{who}/{principal}')} --headers Content-Type=application/json --body {body}`."
        )

    def _change(self, policy: Policy, restriction: str) -> str:
        """Return how to have the restriction lifted: in the application's own policy, or by giving it one of its own."""
        headers, path = "--headers Content-Type=application/json", "/policies/appManagementPolicies"
        if policy.own:
            kept = [dict(item) for item in policy.items(self.restricted.collection)]
            changed = [
                item | {"state": "disabled"} if item.get("restrictionType") == restriction else item for item in kept
            ]
            body = shlex.quote(json.dumps({"restrictions": {self.restricted.collection: changed}}))
            return (
                f"switch off {restriction} in the application's policy {policy.id}: `az rest --method patch --url "
                f"{self._url(f'{path}/{policy.id}')} {headers} --body {body}`. It takes the role Security Administrator."
            )
        names = {"graph": self.caller.cloud.graph, "app_id": self.application.app_id}
        return own_policy(self.restricted.collection, restriction).format(object_id=self.application.object_id, **names)

    def _url(self, path: str) -> str:
        return f"{self.caller.cloud.graph}/v1.0{path}"
