"""App management policies as a tenant holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Policy:
    """An app management policy; the tenant's default one has the id `default`."""

    id: str
    display_name: str
    description: str
    enabled: bool
    restrictions: dict[str, Any] = field(default_factory=dict)
    """For applications; of a policy that is assigned, for what it is assigned to."""
    principal_restrictions: dict[str, Any] = field(default_factory=dict)
    """Of the default policy, for service principals."""
