"""Machine identities and how they sign in, as values. Hashes are not part of any repr."""

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime, timedelta

from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.lockout.domain import Attempts, LockoutPolicy
from keyturn.tokens.addresses import EVERYWHERE, take_apart
from keyturn.tokens.domain import TokenRules

MONTH = 2_592_000
LONGEST_TTL = 315_360_000


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


Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class NewIdentity:
    """An identity to be made. ``org_id`` is the organization that the caller believes to be in."""

    name: str
    role: Role
    has_delete_protection: bool = False
    metadata: Pairs = ()
    org_id: str | None = None


@dataclass(frozen=True)
class IdentityChange:
    """What changes of an identity; None leaves it as it is."""

    name: str | None = None
    role: Role | None = None
    has_delete_protection: bool | None = None
    metadata: Pairs | None = None


@dataclass(frozen=True)
class NewClientSecret:
    """A client secret to be made. ``ttl`` in seconds; 0 means without limit, as for its uses."""

    description: str = ""
    uses_limit: int = 0
    ttl: int = 0


@dataclass(frozen=True)
class UniversalAuthSettings:
    """How an identity signs in with client id and secret."""

    rules: TokenRules = field(default_factory=lambda: TokenRules(MONTH, MONTH))
    client_secret_trusted_ips: tuple[str, ...] = EVERYWHERE
    access_token_trusted_ips: tuple[str, ...] = EVERYWHERE
    lockout: LockoutPolicy = field(default_factory=LockoutPolicy)

    def checked(self) -> "UniversalAuthSettings":
        """Return itself. Raises Refused when the parts do not fit together."""
        for entry in self.client_secret_trusted_ips:
            take_apart(entry, "clientSecretTrustedIps")
        for entry in self.access_token_trusted_ips:
            take_apart(entry, "accessTokenTrustedIps")
        self.rules.checked()
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
            or_kept(self.access_token_ttl, settings.rules.ttl),
            or_kept(self.access_token_max_ttl, settings.rules.max_ttl),
            or_kept(self.access_token_uses_limit, settings.rules.uses_limit),
            or_kept(self.access_token_period, settings.rules.period),
        )
        return UniversalAuthSettings(
            rules,
            self.client_secret_trusted_ips or settings.client_secret_trusted_ips,
            self.access_token_trusted_ips or settings.access_token_trusted_ips,
            LockoutPolicy(
                settings.lockout.enabled if self.lockout_enabled is None else self.lockout_enabled,
                or_kept(self.lockout_threshold, settings.lockout.threshold),
                _seconds(self.lockout_seconds, settings.lockout.duration),
                _seconds(self.lockout_reset_seconds, settings.lockout.reset),
            ),
        ).checked()


def or_kept(new: int | None, old: int) -> int:
    """Return the new value, the old one where none is given."""
    return old if new is None else new


def _seconds(new: int | None, old: timedelta) -> timedelta:
    return old if new is None else timedelta(seconds=new)


@dataclass(frozen=True)
class IdentityClientSecret:
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


def machine_actor(identity: Identity) -> Actor:
    """Return the identity as the one who acts."""
    return Actor(ActorKind.IDENTITY, identity.id, identity.name, identity.org_id, identity.role)
