"""Users as Graph writes them. Source: https://learn.microsoft.com/graph/api/resources/user."""

from __future__ import annotations

from typing import Any

from entra_emulator.core.clock import graph_time
from entra_emulator.directory.directory import User
from entra_emulator.graph.declared import USER, with_defaults

_NEVER_SET: dict[str, Any] = {
    "assignedLicenses": [], "assignedPlans": [], "creationType": None, "employeeHireDate": None, "externalUserState": None,
    "imAddresses": [], "isResourceAccount": None, "onPremisesDistinguishedName": None, "onPremisesDomainName": None,
    "onPremisesLastSyncDateTime": None, "onPremisesSamAccountName": None, "onPremisesSyncEnabled": None,
    "onPremisesUserPrincipalName": None, "provisionedPlans": [], "proxyAddresses": [],
}  # fmt: skip
"""What a user who lives in this directory alone, without a mailbox or licences, shows where it is selected."""


def user(item: User) -> dict[str, Any]:
    """A person's account, with all that can be selected."""
    given_name, _, family = item.display_name.rpartition(" ")
    guessed = {
        "givenName": given_name or None,
        "surname": family or None,
        "mail": item.principal_name,
        "mailNickname": item.principal_name.partition("@")[0],
        "userType": "Member",
    }
    declared = with_defaults(USER, guessed | item.properties)
    return {
        **declared,
        **_NEVER_SET,
        "passwordProfile": None,
        "identities": [
            {
                "signInType": "userPrincipalName",
                "issuer": item.principal_name.rpartition("@")[2],
                "issuerAssignedId": item.principal_name,
            }
        ],
        "lastPasswordChangeDateTime": graph_time(max(item.password_changed_at, item.created_at)),
        "signInSessionsValidFromDateTime": graph_time(max(item.revoked_at, item.created_at)),
        "id": item.object_id,
        "accountEnabled": item.enabled,
        "createdDateTime": graph_time(item.created_at),
        "deletedDateTime": graph_time(item.deleted_at) if item.deleted_at is not None else None,
        "displayName": item.display_name,
        "userPrincipalName": item.principal_name,
    }


USER_DEFAULT = frozenset({
    "businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation",
    "preferredLanguage", "surname", "userPrincipalName",
})  # fmt: skip
"""What a read of users shows unless more is selected. Source: https://learn.microsoft.com/graph/api/user-get."""
