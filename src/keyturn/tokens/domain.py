"""Access tokens as values, and how long they live. Pure: values and ``now`` in, values out."""

from datetime import datetime, timedelta

from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext


@dataclass(frozen=True)
class TokenRules:
    """Seconds; 0 means without limit. A ``period`` makes a token renewable for ever, for one period each time."""

    ttl: int
    max_ttl: int
    uses_limit: int = 0
    period: int = 0

    def checked(self) -> "TokenRules":
        """Return itself. Raises Refused when a token would live longer than it may be renewed."""
        if self.max_ttl and self.ttl > self.max_ttl:
            raise Refused(
                f"The token lifetime ({self.ttl} s) is longer than its maximum ({self.max_ttl} s).",
                code="access.ttl_above_max",
                field="accessTokenTTL",
                fix="Lower the lifetime (accessTokenTTL), or raise its maximum (accessTokenMaxTTL).",
            )
        return self


@dataclass(frozen=True)
class Lifetime:
    """It ends ``ttl`` seconds from now (0 and None: never); no renewal reaches past ``renewable_until``."""

    ttl: int
    expires_at: datetime | None
    renewable_until: datetime | None


def first_lifetime(rules: TokenRules, now: datetime) -> Lifetime:
    """Return the lifetime of a token made now."""
    if rules.period:
        return Lifetime(rules.period, now + timedelta(seconds=rules.period), None)
    end = now + timedelta(seconds=rules.max_ttl) if rules.max_ttl else None
    return renewed_lifetime(rules.ttl, end, now)


def renewed_lifetime(ttl: int, renewable_until: datetime | None, now: datetime) -> Lifetime:
    """Return the lifetime of a token renewed now: the TTL counts anew, but not past the end fixed when it was made."""
    ends = [renewable_until] if renewable_until else []
    if ttl:
        ends.append(now + timedelta(seconds=ttl))
    expires_at = min(ends, default=None)
    seconds = int((expires_at - now).total_seconds()) if expires_at else 0
    return Lifetime(seconds, expires_at, renewable_until)


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


@dataclass(frozen=True)
class Origin:
    """Where a request without a token comes from."""

    ip: str
    request_id: str | None = None
