"""Kinds of policies of which this directory holds none: who reads them finds nothing, and to make one is refused.

Source: https://learn.microsoft.com/graph/api/resources/policy-overview. Terraform's azuread f0169e0 reads those of principals.
"""

from __future__ import annotations

from entra_emulator.core.wire import Response
from entra_emulator.directory.world import Call
from entra_emulator.graph.lookup import Key, the_application, the_principal
from entra_emulator.graph.odata import collection
from entra_emulator.graph.permissions import may_read_policies

_KINDS = ("claimsMappingPolicies", "homeRealmDiscoveryPolicies", "tokenIssuancePolicies", "tokenLifetimePolicies")


def _none(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_policies(call)
    return collection(call, [], call.path.strip("/").partition("/")[2])


def _none_of_application(call: Call, keys: tuple[Key, ...]) -> Response:
    the_application(call, keys[0], write=False)
    return collection(call, [], "policies")


def _none_of_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    the_principal(call, keys[0], write=False)
    return collection(call, [], "policies")


ROUTES = (
    *(("GET", f"policies/{kind}", "listOtherPolicies", _none) for kind in _KINDS),
    *(("GET", f"servicePrincipals/{{}}/{kind}", "listOtherPolicies", _none_of_principal) for kind in _KINDS),
    *(("GET", f"applications/{{}}/{kind}", "listOtherPolicies", _none_of_application) for kind in _KINDS[2:]),
)
