"""Directory roles: who may do what beyond the permissions in a token."""

from __future__ import annotations

GLOBAL = "Global Administrator"
APPLICATION = "Application Administrator"
CLOUD_APPLICATION = "Cloud Application Administrator"
PRIVILEGED_ROLE = "Privileged Role Administrator"
GLOBAL_READER = "Global Reader"
SECURITY_READER = "Security Reader"
REPORTS_READER = "Reports Reader"

TEMPLATES = {
    GLOBAL: "62e90394-69f5-4237-9190-012177145e10",
    APPLICATION: "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    CLOUD_APPLICATION: "158c047a-c907-4556-b7ef-446551a6b5f7",
    PRIVILEGED_ROLE: "e8611ab8-c189-46e8-94e1-60213ab1f814",
    GLOBAL_READER: "f2ef992c-3afb-46b9-b7cf-a126ee74c451",
    REPORTS_READER: "4a5d8f65-41da-4de4-8968-e035b65339cf",
    SECURITY_READER: "5d6b6bb7-de71-4623-b4af-96380a352509",
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


def wids(names: list[str]) -> list[str]:
    """The claim `wids` of a user with these roles."""
    return [*(TEMPLATES[name] for name in names), EVERY_MEMBER]


def role_names(claim: list[str]) -> frozenset[str]:
    """The names of the roles in a claim `wids`."""
    return frozenset(name for name, template in TEMPLATES.items() if template in claim)
