"""Directory roles: who may do what beyond the permissions in a token.

Sources: https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference (names and ids),
.../groups-concept (a group that may be given roles hands them to its direct members).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from entra_emulator.directory.directory import Assignee, Tenant
from entra_emulator.directory.groups import Group

GLOBAL = "Global Administrator"
APPLICATION = "Application Administrator"
CLOUD_APPLICATION = "Cloud Application Administrator"
PRIVILEGED_ROLE = "Privileged Role Administrator"
GLOBAL_READER = "Global Reader"
SECURITY_READER = "Security Reader"
REPORTS_READER = "Reports Reader"
DIRECTORY_READERS = "Directory Readers"

TEMPLATES = {
    GLOBAL: "62e90394-69f5-4237-9190-012177145e10",
    APPLICATION: "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    CLOUD_APPLICATION: "158c047a-c907-4556-b7ef-446551a6b5f7",
    PRIVILEGED_ROLE: "e8611ab8-c189-46e8-94e1-60213ab1f814",
    GLOBAL_READER: "f2ef992c-3afb-46b9-b7cf-a126ee74c451",
    REPORTS_READER: "4a5d8f65-41da-4de4-8968-e035b65339cf",
    SECURITY_READER: "5d6b6bb7-de71-4623-b4af-96380a352509",
    DIRECTORY_READERS: "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
}
"""The roles that the emulator knows, with the ids of their templates, which tokens carry in `wids`."""
EVERY_MEMBER = "b79fbf4d-3ef9-4689-8143-76b194e85509"
"""In `wids` of every user who is a member of the tenant."""

MANAGE_APPLICATIONS = frozenset({GLOBAL, APPLICATION, CLOUD_APPLICATION})
CONSENT_TO_SCOPES = frozenset({GLOBAL, PRIVILEGED_ROLE, APPLICATION, CLOUD_APPLICATION})
CONSENT_TO_GRAPH_ROLES = frozenset({GLOBAL, PRIVILEGED_ROLE})
READ_POLICIES = MANAGE_APPLICATIONS | {GLOBAL_READER, SECURITY_READER}

READ_REPORTS = frozenset({GLOBAL, GLOBAL_READER, SECURITY_READER, REPORTS_READER})
"""Source: https://learn.microsoft.com/graph/api/signin-list."""


_WRITE_APPLICATIONS = frozenset(
    {"Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All"}
)
_OF_APPLICATIONS: dict[str, frozenset[str]] = {
    GLOBAL: _WRITE_APPLICATIONS
    | {
        "AppRoleAssignment.ReadWrite.All",
        "AuditLog.Read.All",
        "Directory.ReadWrite.All",
        "Policy.Read.All",
        "Policy.ReadWrite.ApplicationConfiguration",
        "RoleManagement.ReadWrite.Directory",
    },
    APPLICATION: _WRITE_APPLICATIONS,
    CLOUD_APPLICATION: _WRITE_APPLICATIONS,
    PRIVILEGED_ROLE: frozenset(
        {
            "AppRoleAssignment.ReadWrite.All",
            "DelegatedPermissionGrant.ReadWrite.All",
            "Directory.Read.All",
            "RoleManagement.ReadWrite.Directory",
        }
    ),
    GLOBAL_READER: frozenset({"AuditLog.Read.All", "Directory.Read.All", "Policy.Read.All"}),
    SECURITY_READER: frozenset({"AuditLog.Read.All", "Directory.Read.All", "Policy.Read.All"}),
    REPORTS_READER: frozenset({"AuditLog.Read.All"}),
    DIRECTORY_READERS: frozenset({"Directory.Read.All"}),
}


@dataclass(frozen=True, slots=True)
class DirectoryRole:
    """A role in one tenant, where it has an id of its own; that of its template is the same everywhere."""

    tenant_id: str
    name: str

    @property
    def object_id(self) -> str:
        """Its id in the tenant."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"directory-role:{self.tenant_id}:{self.name}"))

    @property
    def template_id(self) -> str:
        """The id of its template."""
        return TEMPLATES[self.name]


def wids(names: list[str]) -> list[str]:
    """The claim `wids` of a user with these roles."""
    return [*(TEMPLATES[name] for name in names), EVERY_MEMBER]


def roles_of(tenant: Tenant, member: Assignee) -> list[str]:
    """The roles that somebody has: their own, and those of the groups that they are in."""
    groups = [] if isinstance(member, Group) else tenant.groups.values()
    names = [*member.roles, *(name for group in groups if member.object_id in group.members for name in group.roles)]
    return list(dict.fromkeys(names))


def active_roles(tenant: Tenant) -> list[DirectoryRole]:
    """The roles that can be read in a tenant: that of the global administrators, and all that were activated or given.

    Source: https://learn.microsoft.com/graph/api/directoryrole-post-directoryroles.
    """
    given = {name for item in tenant.assignees() for name in item.roles}
    active = {GLOBAL, *tenant.activated_roles, *given}
    return [DirectoryRole(tenant.id, name) for name in TEMPLATES if name in active]


def permissions_of(names: frozenset[str]) -> frozenset[str]:
    """The application permissions of Graph that a service principal with these roles does not need. Which ones is assumed."""
    return frozenset(permission for name in names for permission in _OF_APPLICATIONS[name])


def role_names(claim: list[str]) -> frozenset[str]:
    """The names of the roles in a claim `wids`."""
    return frozenset(name for name, template in TEMPLATES.items() if template in claim)
