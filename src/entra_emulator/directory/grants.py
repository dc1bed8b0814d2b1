"""Permissions that were given: to service principals themselves, and to clients on behalf of people."""

from __future__ import annotations

from dataclasses import dataclass

from entra_emulator.directory.replicas import Presence


@dataclass(slots=True)
class Grant:
    """An app role of a resource, given to a service principal, a user or a group."""

    id: str
    resource_app_id: str
    role: str
    presence: Presence
    role_id: str | None = None
    """Where the role is not one of Graph's."""
    created_at: float = 0.0

    @property
    def in_tokens(self) -> bool:
        """Whether tokens name it: a role without a value is in none."""
        return self.role != self.role_id


@dataclass(slots=True)
class Consent:
    """Delegated permissions of one client on one resource: for one user, or for everyone where `user_id` is None."""

    id: str
    app_id: str
    resource_app_id: str
    user_id: str | None
    scopes: set[str]
    presence: Presence
