"""Who does something. Made after a token or session was checked, or ``PLATFORM`` for the server's own work."""

from dataclasses import field
from datetime import datetime
from enum import StrEnum

from keyturn.kit.dataclasses import dataclass


class ActorKind(StrEnum):
    USER = "user"
    IDENTITY = "identity"
    PLATFORM = "platform"


class Role(StrEnum):
    """What an actor may do in an organization or a project; each role may all that the next may.

    The holder of ``NO_ACCESS`` in the organization may what the roles in projects grant, and nothing else.
    """

    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    NO_ACCESS = "no-access"


@dataclass(frozen=True)
class Actor:
    kind: ActorKind
    id: str | None
    name: str
    org_id: str
    role: Role
    request_id: str | None = None
    via: str | None = field(default=None, compare=False)
    """The id of the access token or session that the request came with."""
    at: datetime | None = field(default=None, compare=False)
    """When the request came: what roles it comes with is judged by that. None: temporary roles do not count."""


def platform(org_id: str) -> Actor:
    """Return the server itself, acting on schedule for an organization."""
    return Actor(ActorKind.PLATFORM, None, "Keyturn", org_id, Role.ADMIN)
