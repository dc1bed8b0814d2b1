"""What the access room keeps, as values. Hashes are not part of any repr."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from keyturn.access.addresses import EVERYWHERE, take_apart
from keyturn.access.domain import Attempts, LockoutPolicy, TokenRules
from keyturn.errors import Refused
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.secret import Plaintext, Sealed

MONTH = 2_592_000
LONGEST_TTL = 315_360_000


@dataclass(frozen=True)
class Organization:
    id: str
    name: str
    slug: str


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
    fault: str = ""
    """What of the stored user cannot be read."""


@dataclass(frozen=True)
class Label:
    """A piece of an identity's metadata."""

    id: str
    key: str
    value: str


@dataclass(frozen=True)
class Identity:
    id: str
    org_id: str
    name: str
    role: Role
    has_delete_protection: bool
    metadata: tuple[Label, ...]
    auth_methods: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    fault: str = ""
    """What of the stored identity cannot be read."""


@dataclass(frozen=True)
class UniversalAuthSettings:
    """How an identity signs in with client id and secret."""

    rules: TokenRules = field(default_factory=lambda: TokenRules(MONTH, MONTH))
    client_secret_trusted_ips: tuple[str, ...] = EVERYWHERE
    access_token_trusted_ips: tuple[str, ...] = EVERYWHERE
    lockout: LockoutPolicy = field(default_factory=LockoutPolicy)

    def checked(self) -> "UniversalAuthSettings":
        """Return itself. Raises Refused when the parts do not fit together."""
        for entry in (*self.client_secret_trusted_ips, *self.access_token_trusted_ips):
            take_apart(entry)
        if self.rules.max_ttl and self.rules.ttl > self.rules.max_ttl:
            raise Refused(
                f"The token lifetime ({self.rules.ttl} s) is longer than its maximum ({self.rules.max_ttl} s).",
                code="access.ttl_above_max",
                fix="Lower accessTokenTTL or raise accessTokenMaxTTL.",
            )
        return self


@dataclass(frozen=True)
class UniversalAuth:
    id: str
    identity_id: str
    client_id: str
    settings: UniversalAuthSettings
    attempts: Attempts
    created_at: datetime
    updated_at: datetime
    failed_from: tuple[str, ...] = ()
    """The networks from which the failures in ``attempts``, or the lock, came."""


@dataclass(frozen=True)
class UniversalAuthChanges:
    """What to change; None leaves a value as it is. Seconds; 0 means without limit."""

    access_token_ttl: int | None = None
    access_token_max_ttl: int | None = None
    access_token_uses_limit: int | None = None
    access_token_period: int | None = None
    client_secret_trusted_ips: tuple[str, ...] | None = None
    access_token_trusted_ips: tuple[str, ...] | None = None
    lockout_enabled: bool | None = None
    lockout_threshold: int | None = None
    lockout_seconds: int | None = None
    lockout_reset_seconds: int | None = None

    def applied_to(self, settings: UniversalAuthSettings) -> UniversalAuthSettings:
        """Return the changed settings. Raises Refused when they do not fit together."""
        rules = TokenRules(
            _or(self.access_token_ttl, settings.rules.ttl),
            _or(self.access_token_max_ttl, settings.rules.max_ttl),
            _or(self.access_token_uses_limit, settings.rules.uses_limit),
            _or(self.access_token_period, settings.rules.period),
        )
        return UniversalAuthSettings(
            rules,
            self.client_secret_trusted_ips or settings.client_secret_trusted_ips,
            self.access_token_trusted_ips or settings.access_token_trusted_ips,
            LockoutPolicy(
                settings.lockout.enabled if self.lockout_enabled is None else self.lockout_enabled,
                _or(self.lockout_threshold, settings.lockout.threshold),
                _seconds(self.lockout_seconds, settings.lockout.duration),
                _seconds(self.lockout_reset_seconds, settings.lockout.reset),
            ),
        ).checked()


def _or(new: int | None, old: int) -> int:
    return old if new is None else new


def _seconds(new: int | None, old: timedelta) -> timedelta:
    return old if new is None else timedelta(seconds=new)


@dataclass(frozen=True)
class ClientSecret:
    id: str
    universal_auth_id: str
    description: str
    prefix: str
    hash: str = field(repr=False)
    uses: int
    uses_limit: int
    ttl: int
    revoked: bool
    created_at: datetime
    updated_at: datetime


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


@dataclass(frozen=True)
class SecondFactor:
    """Codes of an app. ``last_counter`` is the newest 30 seconds whose code was taken; ``recovery`` holds digests."""

    user_id: str
    secret: Sealed
    last_counter: int
    recovery: tuple[str, ...] = field(repr=False)
    confirmed_at: datetime | None


@dataclass(frozen=True)
class StoredToken:
    """A token's row together with its owner. ``trusted_ips`` is None where no list applies."""

    id: str
    ttl: int
    max_ttl: int
    uses: int
    uses_limit: int
    expires_at: datetime | None
    renewable_until: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    trusted_ips: tuple[str, ...] | None
    actor: Actor


@dataclass(frozen=True)
class IssuedToken:
    """A token in the clear, given exactly once. ``expires_in`` and ``max_ttl`` in seconds, 0: without limit."""

    token: Plaintext
    expires_in: int
    max_ttl: int


def person_actor(user: User) -> Actor:
    return Actor(ActorKind.USER, user.id, user.email, user.org_id, user.role)
