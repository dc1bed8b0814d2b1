"""What Microsoft documents of the resources that this directory holds, so that it can say what of it is here.

Source: the pages of each resource at https://learn.microsoft.com/graph/api/resources/ (v1.0 where it says no other version). An
operation without a route is refused with an OData error; `REFUSED` is what a route that exists refuses although it is documented.
"""

from __future__ import annotations

_COLLECTION = "GET: list|POST: create"
_ONE = "GET: read|PATCH: change|DELETE: delete"
_KEYS = {
    "addPassword": "POST: add a client secret",
    "removePassword": "POST: remove a client secret",
    "addKey": "POST: add a certificate with proof",
    "removeKey": "POST: remove a certificate with proof",
}
_MEMBERSHIP = {
    "memberOf": "GET: groups and roles",
    "memberOf/microsoft.graph.group": "GET: groups",
    "memberOf/microsoft.graph.directoryRole": "GET: roles",
    "transitiveMemberOf": "GET: groups and roles, of groups too",
    "transitiveMemberOf/microsoft.graph.group": "GET: groups, of groups too",
    "transitiveMemberOf/microsoft.graph.directoryRole": "GET: roles, of groups too",
    "checkMemberGroups": "POST: check groups",
    "checkMemberObjects": "POST: check groups and roles",
    "getMemberGroups": "POST: ids of groups",
    "getMemberObjects": "POST: ids of groups and roles",
}
_OF_ASSIGNMENTS = {"appRoleAssignments": _COLLECTION, "appRoleAssignments/{}": "GET: read|DELETE: delete"}
_REFERENCES = {"": "GET: list", "/$ref": "POST: add", "/{}/$ref": "DELETE: remove"}


def _linked(name: str) -> dict[str, str]:
    return {f"{name}{suffix}": f"{what} {name}" for suffix, what in _REFERENCES.items()}


DOCUMENTED: dict[str, dict[str, str]] = {
    "applications": {
        "": _COLLECTION,
        "$count": "GET: count",
        "delta": "GET: changes",
        "microsoft.graph.agentIdentityBlueprint": "GET: list blueprints|POST: create a blueprint",
        "{}": _ONE,
        **{f"{{}}/{name}": what for name, what in _KEYS.items()},
        **{f"{{}}/{name}": what for name, what in _linked("owners").items()},
        "{}/owners/$count": "GET: count owners",
        **{f"{{}}/{name}": what for name, what in _linked("appManagementPolicies").items()},
        **{f"{{}}/{name}": what for name, what in _linked("tokenLifetimePolicies").items()},
        **{f"{{}}/{name}": what for name, what in _linked("tokenIssuancePolicies").items()},
        "{}/federatedIdentityCredentials": _COLLECTION,
        "{}/federatedIdentityCredentials/{}": _ONE,
        "{}/extensionProperties": _COLLECTION,
        "{}/extensionProperties/{}": "GET: read|DELETE: delete",
        "{}/logo": "GET: read|PUT: change",
        "{}/setVerifiedPublisher": "POST: verify the publisher",
        "{}/unsetVerifiedPublisher": "POST: take that back",
        "{}/synchronization/jobs": _COLLECTION,
    },
    "applicationTemplates": {
        "": "GET: list",
        "$count": "GET: count",
        "{}": "GET: read",
        "{}/instantiate": "POST: make an application and its principal",
    },
    "servicePrincipals": {
        "": _COLLECTION,
        "microsoft.graph.agentIdentityBlueprintPrincipal": "GET: list those of blueprints|POST: create one",
        "$count": "GET: count",
        "delta": "GET: changes",
        "{}": _ONE,
        **{f"{{}}/{name}": what for name, what in _KEYS.items()},
        "{}/addTokenSigningCertificate": "POST: make a certificate for SAML",
        **{f"{{}}/{name}": what for name, what in _linked("owners").items()},
        **{f"{{}}/{name}": what for name, what in _linked("appManagementPolicies").items()},
        **{f"{{}}/{name}": what for name, what in _linked("claimsMappingPolicies").items()},
        **{f"{{}}/{name}": what for name, what in _linked("homeRealmDiscoveryPolicies").items()},
        **{f"{{}}/{name}": what for name, what in _OF_ASSIGNMENTS.items()},
        "{}/appRoleAssignedTo": _COLLECTION,
        "{}/appRoleAssignedTo/{}": "GET: read|DELETE: delete",
        "{}/oauth2PermissionGrants": "GET: list",
        "{}/delegatedPermissionClassifications": _COLLECTION,
        "{}/ownedObjects": "GET: list",
        "{}/createdObjects": "GET: list",
        **{f"{{}}/{name}": what for name, what in _MEMBERSHIP.items()},
        "{}/synchronization/jobs": _COLLECTION,
    },
    "users": {
        "": _COLLECTION,
        "$count": "GET: count",
        "delta": "GET: changes",
        "{}": _ONE,
        "{}/ownedObjects": "GET: list",
        "{}/manager": "GET: read",
        "{}/manager/$ref": "PUT: set|DELETE: remove",
        "{}/directReports": "GET: list",
        **{f"{{}}/{name}": what for name, what in _OF_ASSIGNMENTS.items()},
        "{}/oauth2PermissionGrants": "GET: list",
        "{}/licenseDetails": "GET: list",
        "{}/revokeSignInSessions": "POST: end all sessions",
        "{}/changePassword": "POST: change",
        **{f"{{}}/{name}": what for name, what in _MEMBERSHIP.items()},
    },
    "groups": {
        "": _COLLECTION,
        "$count": "GET: count",
        "delta": "GET: changes",
        "{}": _ONE,
        **{f"{{}}/{name}": what for name, what in _linked("members").items()},
        **{f"{{}}/{name}": what for name, what in _linked("owners").items()},
        "{}/transitiveMembers": "GET: list",
        **{f"{{}}/{name}": what for name, what in _OF_ASSIGNMENTS.items()},
        **{f"{{}}/{name}": what for name, what in _MEMBERSHIP.items()},
    },
    "directoryObjects": {
        "{}": "GET: read|DELETE: delete",
        **{f"{{}}/{name}": what for name, what in _MEMBERSHIP.items()},
        "getByIds": "POST: read many",
        "delta": "GET: changes",
        "validateProperties": "POST: check names",
    },
    "directory/deletedItems": {
        "microsoft.graph.application": "GET: list",
        "microsoft.graph.servicePrincipal": "GET: list",
        "microsoft.graph.user": "GET: list",
        "microsoft.graph.group": "GET: list",
        "{}": "GET: read|DELETE: delete for good",
        "{}/restore": "POST: restore",
    },
    "directoryRoles": {
        "": "GET: list active ones|POST: activate",
        "delta": "GET: changes",
        "{}": "GET: read",
        **{f"{{}}/{name}": what for name, what in _linked("members").items()},
        "{}/scopedMembers": "GET: list those of administrative units",
    },
    "directoryRoleTemplates": {"": "GET: list", "{}": "GET: read"},
    "roleManagement/directory": {
        "roleDefinitions": _COLLECTION,
        "roleDefinitions/{}": _ONE,
        "roleAssignments": _COLLECTION,
        "roleAssignments/{}": "GET: read|DELETE: delete",
        "roleAssignmentSchedules": "GET: list",
        "roleAssignmentScheduleRequests": _COLLECTION,
        "roleEligibilitySchedules": "GET: list",
        "roleEligibilityScheduleRequests": _COLLECTION,
    },
    "oauth2PermissionGrants": {"": _COLLECTION, "delta": "GET: changes", "{}": _ONE},
    "policies": {
        "defaultAppManagementPolicy": "GET: read|PATCH: change",
        "appManagementPolicies": _COLLECTION,
        "appManagementPolicies/{}": _ONE,
        "appManagementPolicies/{}/appliesTo": "GET: list",
        "claimsMappingPolicies": _COLLECTION,
        "homeRealmDiscoveryPolicies": _COLLECTION,
        "tokenIssuancePolicies": _COLLECTION,
        "tokenLifetimePolicies": _COLLECTION,
        "authorizationPolicy": "GET: read|PATCH: change",
        "conditionalAccessPolicies": _COLLECTION,
    },
    "auditLogs": {
        "signIns": "GET: list",
        "signIns/{}": "GET: read",
        "directoryAudits": "GET: list",
        "directoryAudits/{}": "GET: read",
        "provisioning": "GET: list",
    },
    "reports": {
        "appCredentialSignInActivities": "GET: list (beta)",
        "appCredentialSignInActivities/{}": "GET: read (beta)",
        "servicePrincipalSignInActivities": "GET: list (beta)",
        "servicePrincipalSignInActivities/{}": "GET: read (beta)",
    },
    "me": {
        "": "GET: read|PATCH: change",
        "manager": "GET: read",
        "directReports": "GET: list",
        "ownedObjects": "GET: list",
        "appRoleAssignments": "GET: list",
        "oauth2PermissionGrants": "GET: list",
        "revokeSignInSessions": "POST: end all sessions",
        "changePassword": "POST: change",
        **_MEMBERSHIP,
    },
    "organization": {"": "GET: list", "{}": "GET: read"},
    "domains": {"": "GET: list", "{}": "GET: read"},
    "$batch": {"": "POST: many at once"},
}
"""Resource -> what follows it in the path (`{}` for a key) -> its methods, each with what it does."""


def pattern(path: str) -> str:
    """The path as the routes name it."""
    return path.lower().replace("microsoft.graph.", "")


REFUSED: tuple[tuple[str, str, str], ...] = (
    ("applications", "a password credential chosen by the client", "400 Request_BadRequest"),
    (
        "applications",
        "keyCredentials but of type AsymmetricX509Cert and usage Verify",
        "400 Request_BadRequest",
    ),
    ("applications", "claimsMatchingExpression of a federated identity credential in v1.0", "400 Request_BadRequest"),
    (
        "applications",
        "an unknown member at any depth, or name in $select, $filter, $expand, $orderby",
        "400",
    ),
    ("groups", "a member or an owner that is an application, or an owner that is a group", "400 Request_BadRequest"),
    ("roleManagement/directory", "a role in a part of the tenant only, or of an application", "400 Request_BadRequest"),
    (
        "policies",
        "restrictions trustedCertificateAuthority, of identifier URIs and of audiences",
        "400 Request_BadRequest",
    ),
    ("auditLogs", "a $filter by the key id of a credential", "400 Request_BadRequest"),
    ("auditLogs", "signInEventTypes in v1.0", "400 Request_BadRequest"),
    ("reports", "everything in v1.0", "400 BadRequest"),
)
"""What is documented, or could be hoped for, and is refused aloud: resource, what, with which answer."""
