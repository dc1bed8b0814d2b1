"""People, their sessions and their second factors as values. Hashes are not part of any repr."""

from dataclasses import field
from datetime import datetime
from enum import StrEnum

from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, Sealed
from keyturn.lockout.domain import Attempts


@dataclass(frozen=True)
class User:
    id: str
    org_id: str
    email: str
    first_name: str
    last_name: str
    password_hash: str = field(repr=False)
    role: Role
    super_admin: bool
    attempts: Attempts
    created_at: datetime
    updated_at: datetime
    first_password: bool = False
    """Somebody else knows the password: it has to be changed at the next sign-in."""
    disabled_at: datetime | None = None
    """Since when the user can not sign in; None: they can."""
    fault: str = ""
    """What of the stored user cannot be read."""
    last_signed_in_at: datetime | None = None

    @property
    def has_password(self) -> bool:
        """Whether there is a password at all: who was invited has none before the invitation is accepted."""
        return bool(self.password_hash)


@dataclass(frozen=True)
class NewUser:
    """A user to be made, with a first password, which has to be changed at the first sign-in."""

    email: str
    password: Plaintext
    role: Role
    first_name: str = ""
    last_name: str = ""


BY_PASSWORD, THROUGH_ENTRA = "password", "entra"


@dataclass(frozen=True)
class Session:
    """A browser in which somebody has signed in. ``pending``: the password was right, the code is still to come."""

    id: str
    user_id: str
    pending: bool
    ip: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    method: str = BY_PASSWORD
    """How it was begun. What this server asks beside a password is not asked of whom somebody else vouched for."""


@dataclass(frozen=True)
class ExternalIdentity:
    """Who a user is to somebody who vouches for them.

    ``issuer`` is the id of a tenant of Entra ID, where the ``subject`` is the object id of the person; or :data:`PROVISIONING`,
    where it is what the client that provisions users calls them (``externalId``): for Entra ID the object id, too.
    """

    id: str
    user_id: str
    issuer: str
    subject: str
    created_at: datetime


PROVISIONING = "scim"


@dataclass(frozen=True)
class SecondFactor:
    """Codes of an app. ``last_counter`` is the newest 30 seconds whose code was taken; ``recovery`` holds digests."""

    user_id: str
    secret: Sealed
    last_counter: int
    recovery: tuple[str, ...] = field(repr=False)
    confirmed_at: datetime | None


class Purpose(StrEnum):
    """What a one-time link is for."""

    INVITATION = "invitation"
    RESET = "reset"


@dataclass(frozen=True)
class PasswordLink:
    """A one-time link with which somebody sets a password. ``user_id`` is None when the user is gone."""

    id: str
    user_id: str | None
    purpose: Purpose
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    made_by: tuple[ActorKind, str | None] | None = None
    """None: a version made it that did not write down for whom."""


def person_actor(user: User) -> Actor:
    return Actor(ActorKind.USER, user.id, user.email, user.org_id, user.role)
