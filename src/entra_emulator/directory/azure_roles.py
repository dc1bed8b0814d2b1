"""What a tenant has in Azure: subscriptions, and who has which role in them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from entra_emulator.directory.table import Table

OWNER, USER_ACCESS_ADMINISTRATOR = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
BUILT_IN = {
    OWNER: "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    USER_ACCESS_ADMINISTRATOR: "User Access Administrator",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "a4417e6f-fecd-4de8-b567-7b0420556985": "Key Vault Certificates Officer",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
}
"""Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles."""


@dataclass(slots=True)
class RoleAssignment:
    """A role of a user, group or service principal at a scope (`/subscriptions/...`) and below it."""

    id: str
    scope: str
    role_id: str
    principal_id: str
    principal_type: str
    created_at: float


@dataclass(slots=True)
class AzureRoles:
    """The subscriptions of a tenant by id, its own role definitions by id, and the assignments by id."""

    subscriptions: dict[str, str] = field(default_factory=dict)
    definitions: Table[dict[str, Any]] = field(default_factory=Table)
    assignments: Table[RoleAssignment] = field(default_factory=Table)

    def roles_at(self, principal_ids: Collection[str], scope: str) -> set[str]:
        """The roles that one of these has at this scope, also by an assignment above it."""
        return {
            item.role_id
            for item in self.assignments.values()
            if item.principal_id in principal_ids and within(scope, item.scope)
        }


def within(scope: str, outer: str) -> bool:
    """Whether a scope is the outer one or below it."""
    inner, whole = scope.rstrip("/").lower(), outer.rstrip("/").lower()
    return inner == whole or inner.startswith(f"{whole}/")
