"""The names of properties and parameters, which are read in any case and written as Graph writes them.

Sources: https://github.com/microsoftgraph/microsoft-graph-docs/issues/17798 (bodies), .../microsoft-graph-explorer-v4/issues/2111
($select) and .../microsoft-graph-docs/issues/13684 ($filter).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from entra_emulator.graph.declared import APPLICATION, GROUP, PRINCIPAL, USER, Many, Rule, Shape
from entra_emulator.graph.policy_types import CONFIGURATION

_OTHERS = """
    accountEnabled appId applicationRestrictions applicationTemplateId appOwnerOrganizationId appRoleAssignedTo
    appRoleAssignments appRoleId appScopeId audiences certification claimsMatchingExpression clientId consentType
    createdDateTime customKeyIdentifier customSecurityAttributes deletedDateTime description directoryScopeId directReports
    disabledByMicrosoftStatus displayName endDateTime entityType excludeActors expiryTime federatedIdentityCredentials
    groupIds hasExtendedValue hint id identifierUris ids isDisabled isEnabled issuer key keyCredential keyCredentials keyId
    languageVersion mail mailEnabled mailNickname manager memberOf members name onBehalfOfUserId ownedObjects owners
    passwordCredential passwordCredentials principalDisplayName principalId principalType proof publisherDomain
    resourceDisplayName resourceId restrictions roleDefinitionId roleTemplateId scope secretText securityEnabled
    securityEnabledOnly servicePrincipalNames servicePrincipalRestrictions servicePrincipalType signInAudience startDateTime
    startTime subject transitiveMemberOf transitiveMembers type types usage userPrincipalName value verifiedPublisher
"""
"""Names with rules of their own, of actions and of references."""


def _members(rules: Mapping[str, Rule]) -> Iterator[str]:
    for name, rule in rules.items():
        yield name
        yield from _inner(rule)


def _inner(rule: Rule) -> Iterator[str]:
    if isinstance(rule, Many):
        yield from _inner(rule.of)
    if isinstance(rule, Shape):
        yield from _members(rule.members)
        yield from rule.derived


SPELLED = {
    name.lower(): name
    for name in (
        *_OTHERS.split(),
        *_members(APPLICATION), *_members(PRINCIPAL), *_members(USER), *_members(GROUP),
        *_inner(CONFIGURATION),
    )
}  # fmt: skip
"""How Graph writes a name, by its lower case."""
