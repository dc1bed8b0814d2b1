"""The declared properties of applications and service principals: which exist, of which type, and what a PATCH does to them.

Sources: https://learn.microsoft.com/graph/api/resources/application and .../serviceprincipal (v1.0), with the complex types
named there. A member that is not declared is refused at every depth, and what is accepted is kept. Of a complex property a
PATCH changes the members that it names (so do the tools that each send only their own member); a collection is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from entra_emulator.directory.directory import as_guid
from entra_emulator.directory.redirects import redirects
from entra_emulator.graph.bodies import wrong_type
from entra_emulator.graph.errors import GraphError, bad_request

_LONGEST_TEXT = 10_000
_GROUP_CLAIMS = frozenset({"None", "SecurityGroup", "ApplicationGroup", "DirectoryRole", "All"})


@dataclass(frozen=True, slots=True)
class Plain:
    """A primitive type. `fits` says whether a value that is not null is of it."""

    edm: str
    fits: Callable[[Any], bool]
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Many:
    """A collection."""

    of: Plain | Shape
    most: int = 1_000


@dataclass(frozen=True, slots=True)
class Shape:
    """A complex type. `derived` are members that the directory fills in itself: they may be sent, and are not kept."""

    name: str
    members: Mapping[str, Plain | Many | Shape]
    required: frozenset[str] = frozenset()
    derived: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What a read shows of members that were never set, where it is not null or an empty list."""


Rule = Plain | Many | Shape

TEXT = Plain("Edm.String", lambda value: isinstance(value, str) and len(value) <= _LONGEST_TEXT)
FLAG = Plain("Edm.Boolean", lambda value: isinstance(value, bool))
GUID = Plain("Edm.Guid", lambda value: as_guid(value) is not None)
VERSION = Plain("Edm.Int32", lambda value: not isinstance(value, bool) and isinstance(value, int) and value in {1, 2})
INDEX = Plain("Edm.Int32", lambda value: not isinstance(value, bool) and isinstance(value, int) and 0 <= value < 2**31)
TEXTS, GUIDS = Many(TEXT), Many(GUID)


def one_of(*words: str) -> Plain:
    """A text that is one of a few words."""
    return Plain("Edm.String", lambda value: value in words)


def text(longest: int) -> Plain:
    """A text of so many letters at most."""
    return Plain("Edm.String", lambda value: isinstance(value, str) and len(value) <= longest)


def _are_group_claims(value: str) -> bool:
    return {word.strip() for word in value.split(",")} <= _GROUP_CLAIMS


def shape(
    kind: str, /, required: str = "", derived: str = "", defaults: Mapping[str, Any] | None = None, **members: Rule
) -> Shape:
    """A complex type of Graph; `required` and `derived` are names with blanks between them."""
    full = f"microsoft.graph.{kind}"
    return Shape(full, members, frozenset(required.split()), frozenset(derived.split()), defaults or {})


_PERMISSION_SCOPE = shape(
    "permissionScope", "id", "origin",
    adminConsentDescription=TEXT, adminConsentDisplayName=TEXT, id=GUID, isEnabled=FLAG, type=one_of("Admin", "User"),
    userConsentDescription=TEXT, userConsentDisplayName=TEXT, value=TEXT,
)  # fmt: skip
_APP_ROLE = shape(
    "appRole", "id displayName allowedMemberTypes", "origin",
    allowedMemberTypes=Many(one_of("Application", "User")), description=TEXT, displayName=TEXT, id=GUID, isEnabled=FLAG,
    value=TEXT,
)  # fmt: skip
_OPTIONAL_CLAIM = shape(
    "optionalClaim", "name", additionalProperties=TEXTS, essential=FLAG, name=TEXT, source=one_of("user")
)
_ADD_IN = shape("addIn", "type", id=GUID, type=TEXT, properties=Many(shape("keyValue", key=TEXT, value=TEXT)))
_IMPLICIT = shape(
    "implicitGrantSettings",
    defaults={"enableAccessTokenIssuance": False, "enableIdTokenIssuance": False},
    enableAccessTokenIssuance=FLAG, enableIdTokenIssuance=FLAG,
)  # fmt: skip
_INFO = shape(
    "informationalUrl", "", "logoUrl",
    marketingUrl=TEXT, privacyStatementUrl=TEXT, supportUrl=TEXT, termsOfServiceUrl=TEXT,
)  # fmt: skip
_SOURCE = Plain("microsoft.graph.resourceAccess/type", lambda value: value in ("Role", "Scope"), nullable=False)
_RESOURCE_ACCESS = shape("resourceAccess", "id type", id=GUID, type=_SOURCE)

APPLICATION: Mapping[str, Rule] = {
    "addIns": Many(_ADD_IN),
    "api": shape(
        "apiApplication",
        acceptMappedClaims=FLAG,
        knownClientApplications=GUIDS,
        oauth2PermissionScopes=Many(_PERMISSION_SCOPE),
        preAuthorizedApplications=Many(
            shape("preAuthorizedApplication", "appId", appId=GUID, delegatedPermissionIds=TEXTS, permissionIds=TEXTS)
        ),
        requestedAccessTokenVersion=VERSION,
    ),
    "appRoles": Many(_APP_ROLE),
    "authenticationBehaviors": shape(
        "authenticationBehaviors",
        blockAzureADGraphAccess=FLAG, removeUnverifiedEmailClaim=FLAG, requireClientServicePrincipal=FLAG,
    ),
    "defaultRedirectUri": TEXT,
    "description": text(1024),
    "groupMembershipClaims": Plain("Edm.String", lambda value: isinstance(value, str) and _are_group_claims(value)),
    "info": _INFO,
    "isDeviceOnlyAuthSupported": FLAG,
    "isFallbackPublicClient": FLAG,
    "nativeAuthenticationApisEnabled": TEXT,
    "notes": TEXT,
    "oauth2RequirePostResponse": FLAG,
    "optionalClaims": shape(
        "optionalClaims", accessToken=Many(_OPTIONAL_CLAIM), idToken=Many(_OPTIONAL_CLAIM), saml2Token=Many(_OPTIONAL_CLAIM)
    ),
    "parentalControlSettings": shape(
        "parentalControlSettings",
        defaults={"legalAgeGroupRule": "Allow"},
        countriesBlockedForMinors=TEXTS,
        legalAgeGroupRule=one_of(
            "Allow", "RequireConsentForPrivacyServices", "RequireConsentForMinors", "RequireConsentForKids", "BlockMinors"
        ),
    ),
    "publicClient": shape("publicClientApplication", redirectUris=TEXTS),
    "requestSignatureVerification": shape(
        "requestSignatureVerification", allowedWeakAlgorithms=one_of("rsaSha1"), isSignedRequestRequired=FLAG
    ),
    "requiredResourceAccess": Many(
        shape(
            "requiredResourceAccess", "resourceAppId resourceAccess",
            resourceAppId=GUID, resourceAccess=Many(_RESOURCE_ACCESS),
        )
    ),
    "samlMetadataUrl": TEXT,
    "serviceManagementReference": TEXT,
    "servicePrincipalLockConfiguration": shape(
        "servicePrincipalLockConfiguration",
        allProperties=FLAG, credentialsWithUsageSign=FLAG, credentialsWithUsageVerify=FLAG, identifierUris=FLAG,
        isEnabled=FLAG, tokenEncryptionKeyId=FLAG,
    ),
    "spa": shape("spaApplication", redirectUris=TEXTS),
    "tags": TEXTS,
    "tokenEncryptionKeyId": GUID,
    "uniqueName": TEXT,
    "web": shape(
        "webApplication",
        homePageUrl=TEXT, implicitGrantSettings=_IMPLICIT, logoutUrl=TEXT, redirectUris=TEXTS,
        redirectUriSettings=Many(shape("redirectUriSettings", "uri", uri=TEXT, index=INDEX)),
    ),
}  # fmt: skip
"""Properties of an application that are kept as they were given; the others have a meaning here and code of their own."""

PRINCIPAL: Mapping[str, Rule] = {
    "addIns": Many(_ADD_IN),
    "alternativeNames": TEXTS,
    "appRoleAssignmentRequired": FLAG,
    "appRoles": Many(_APP_ROLE),
    "description": TEXT,
    "homepage": TEXT,
    "info": _INFO,
    "loginUrl": TEXT,
    "logoutUrl": TEXT,
    "notes": text(1024),
    "notificationEmailAddresses": Many(TEXT, most=5),
    "oauth2PermissionScopes": Many(_PERMISSION_SCOPE),
    "preferredSingleSignOnMode": one_of("password", "saml", "notSupported", "oidc"),
    "preferredTokenSigningKeyThumbprint": TEXT,
    "replyUrls": TEXTS,
    "samlSingleSignOnSettings": shape("samlSingleSignOnSettings", relayState=TEXT),
    "tags": TEXTS,
    "tokenEncryptionKeyId": GUID,
}
"""The same for service principals."""

USER: Mapping[str, Rule] = {
    "ageGroup": one_of("Minor", "NotAdult", "Adult"),
    "businessPhones": TEXTS,
    "city": TEXT,
    "companyName": TEXT,
    "country": TEXT,
    "department": TEXT,
    "employeeId": TEXT,
    "employeeType": TEXT,
    "faxNumber": TEXT,
    "givenName": TEXT,
    "jobTitle": TEXT,
    "mail": TEXT,
    "mailNickname": TEXT,
    "mobilePhone": TEXT,
    "officeLocation": TEXT,
    "onPremisesImmutableId": TEXT,
    "otherMails": TEXTS,
    "passwordPolicies": TEXT,
    "passwordProfile": shape(
        "passwordProfile", forceChangePasswordNextSignIn=FLAG, forceChangePasswordNextSignInWithMfa=FLAG, password=TEXT
    ),
    "postalCode": TEXT,
    "preferredDataLocation": TEXT,
    "preferredLanguage": TEXT,
    "showInAddressList": FLAG,
    "state": TEXT,
    "streetAddress": TEXT,
    "surname": TEXT,
    "usageLocation": TEXT,
    "userType": one_of("Member", "Guest"),
}
"""The same for users: https://learn.microsoft.com/graph/api/resources/user."""

GROUP: Mapping[str, Rule] = {
    "classification": TEXT,
    "description": TEXT,
    "groupTypes": Many(one_of("Unified", "DynamicMembership")),
    "isAssignableToRole": FLAG,
    "membershipRule": TEXT,
    "membershipRuleProcessingState": one_of("On", "Paused"),
    "preferredDataLocation": TEXT,
    "preferredLanguage": TEXT,
    "theme": one_of("Teal", "Purple", "Green", "Blue", "Pink", "Orange", "Red"),
    "uniqueName": TEXT,
    "visibility": one_of("Private", "Public", "HiddenMembership"),
}
"""The same for groups: https://learn.microsoft.com/graph/api/resources/group."""

_SHOWN_NULL = frozenset({"optionalClaims", "servicePrincipalLockConfiguration", "requestSignatureVerification",
                         "authenticationBehaviors", "samlSingleSignOnSettings"})  # fmt: skip
"""Complex properties that are null, not empty, until they are set."""
_ENTITLEMENTS = ("appRoles", "oauth2PermissionScopes")


def read(rule: Rule, name: str, value: Any) -> Any:
    """The value of a property as it is kept. Raises GraphError 400 for another type, or for members that do not exist."""
    if isinstance(rule, Plain):
        if (value is None and not rule.nullable) or (value is not None and not rule.fits(value)):
            raise wrong_type(name, rule.edm)
        return value
    if isinstance(rule, Many):
        if not isinstance(value, list) or len(value) > rule.most or (isinstance(rule.of, Plain) and None in value):
            raise wrong_type(name, "Collection")
        return [read(rule.of, name, item) for item in value]
    if not isinstance(value, dict):
        raise wrong_type(name, rule.name)
    members = {
        member: item
        for member, item in value.items()
        if not member.startswith("@odata.") and member not in rule.derived
    }
    unknown = next((member for member in members if member not in rule.members), None)
    if unknown is not None:
        raise bad_request(f"The property '{unknown[:100]}' does not exist on type '{rule.name}'.")
    missing = next((member for member in sorted(rule.required) if not members.get(member)), None)
    if missing is not None:
        raise bad_request(f"A value is required for property '{missing}' of type '{rule.name}'.")
    values = {member: read(rule.members[member], member, item) for member, item in members.items()}
    return _registered(name, values)


def _registered(platform: str, values: dict[str, Any]) -> dict[str, Any]:
    if "redirectUris" in values:
        try:
            redirects(platform, values["redirectUris"])
        except ValueError as error:
            raise bad_request(
                f"Invalid value specified for property '{platform}' of resource 'Application'."
            ) from error
    return values


def merged(rule: Rule, old: Any, new: Any) -> Any:
    """A property after a PATCH: of a complex one the members that were not named stay as they are."""
    if not isinstance(rule, Shape) or not isinstance(old, dict):
        return new
    return {**old, **{member: merged(rule.members[member], old.get(member), item) for member, item in new.items()}}


def changed_properties(rules: Mapping[str, Rule], old: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The declared properties that a body changes, as they are kept. Raises GraphError 400 for a name that is not declared."""
    changes: dict[str, Any] = {}
    for name, value in body.items():
        if name.startswith("@odata."):
            continue
        rule = rules.get(name)
        if rule is None:
            raise bad_request(f"Property '{name[:100]}' does not exist as a declared property or extension property.")
        changes[name] = merged(rule, old.get(name), read(rule, name, value))
    return changes


def with_defaults(rules: Mapping[str, Rule], properties: Mapping[str, Any]) -> dict[str, Any]:
    """All properties as a read shows them, also those that were never set."""
    return {name: _complete(name, rule, properties.get(name)) for name, rule in rules.items()}


def _complete(name: str, rule: Rule, value: Any) -> Any:
    if isinstance(rule, Many):
        return [_complete(name, rule.of, item) for item in value or ()]
    if isinstance(rule, Plain) or (value is None and name in _SHOWN_NULL):
        return value
    members = value or {}
    return {
        member: _complete(member, inner, members.get(member, rule.defaults.get(member)))
        for member, inner in rule.members.items()
    }


def check_removal(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raises GraphError 400 where a role or scope is left out that is enabled: it must be disabled first.

    Source: https://learn.microsoft.com/graph/api/resources/approle ("isEnabled ... must first be set to false").
    """
    for name in _ENTITLEMENTS:
        if name not in new:
            continue
        remaining = {str(entry.get("id")).lower() for entry in new[name]}
        for entry in old.get(name) or ():
            if entry.get("isEnabled") and str(entry.get("id")).lower() not in remaining:
                raise GraphError(
                    400,
                    "CannotDeleteOrUpdateEnabledEntitlement",
                    "Permission (scope or role) cannot be deleted or updated unless disabled first.",
                )
