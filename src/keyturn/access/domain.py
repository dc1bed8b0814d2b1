"""Who may do what, how long a token lives, and when a sign-in is locked. Pure: values and ``now`` in, values out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.errors import Forbidden
from keyturn.kit.actor import Actor, Role
from keyturn.kit.moments import bounded

# --- permissions ------------------------------------------------------------------------------------------------------


class Action(StrEnum):
    """Something an actor may do in an organization or a project. The text is what the HTTP API shows."""

    READ_CONNECTIONS = "read-app-connections"
    CREATE_CONNECTIONS = "create-app-connections"
    EDIT_CONNECTIONS = "edit-app-connections"
    DELETE_CONNECTIONS = "delete-app-connections"
    CONNECT_CONNECTIONS = "connect-app-connections"
    ROTATE_CREDENTIALS = "rotate-credentials"
    READ_PROJECT = "read-project"
    CREATE_PROJECT = "create-project"
    EDIT_PROJECT = "edit-project"
    DELETE_PROJECT = "delete-project"
    READ_MEMBERS = "read-members"
    MANAGE_MEMBERS = "manage-members"
    READ_USERS = "read-users"
    MANAGE_USERS = "manage-users"
    READ_IDENTITIES = "read-identities"
    MANAGE_IDENTITIES = "manage-identities"
    READ_AUDIT_LOGS = "read-audit-logs"

    @property
    def subject(self) -> str:
        """The kind of thing acted upon, as the ``details`` of a refusal name it."""
        return _SUBJECTS.get(self, "app-connections")


_SUBJECTS: Mapping[Action, str] = {
    Action.READ_PROJECT: "project",
    Action.CREATE_PROJECT: "project",
    Action.EDIT_PROJECT: "project",
    Action.DELETE_PROJECT: "project",
    Action.READ_MEMBERS: "member",
    Action.MANAGE_MEMBERS: "member",
    Action.READ_USERS: "user",
    Action.MANAGE_USERS: "user",
    Action.READ_IDENTITIES: "identity",
    Action.MANAGE_IDENTITIES: "identity",
    Action.READ_AUDIT_LOGS: "audit-logs",
}

_ALL = frozenset(Action)
_READ_ORGANIZATION = frozenset({Action.READ_CONNECTIONS, Action.READ_USERS, Action.READ_IDENTITIES})
_READ_PROJECT = frozenset({Action.READ_CONNECTIONS, Action.READ_PROJECT, Action.READ_MEMBERS})

ORGANIZATION_ROLES: Mapping[Role, frozenset[Action]] = {
    Role.ADMIN: _ALL,
    Role.MEMBER: _READ_ORGANIZATION | {Action.CONNECT_CONNECTIONS, Action.CREATE_PROJECT},
    Role.VIEWER: _READ_ORGANIZATION,
    Role.NO_ACCESS: frozenset(),
}
"""What a role in the organization permits on things that belong to no project."""

PROJECT_ROLES: Mapping[Role, frozenset[Action]] = {
    Role.ADMIN: _ALL,
    Role.MEMBER: _READ_PROJECT
    | {
        Action.CREATE_CONNECTIONS,
        Action.EDIT_CONNECTIONS,
        Action.DELETE_CONNECTIONS,
        Action.CONNECT_CONNECTIONS,
        Action.ROTATE_CREDENTIALS,
    },
    Role.VIEWER: _READ_PROJECT,
}
"""What a role in a project permits on the things of this project."""


def permits(table: Mapping[Role, frozenset[Action]], role: Role | None, action: Action) -> bool:
    """Say whether the role permits the action. No role, or one that the table does not know, permits nothing."""
    return role is not None and action in table.get(role, frozenset())


def least_role(table: Mapping[Role, frozenset[Action]], action: Action) -> Role:
    """Return the smallest role that permits the action, for advice in a refusal."""
    return next(role for role in reversed(Role) if permits(table, role, action))


def at_most(own: Role, other: Role) -> bool:
    """Say whether ``other`` permits no more than ``own``: nobody may hand out a role above their own."""
    order = tuple(Role)
    return order.index(other) >= order.index(own)


def require_at_most(own: Role, wanted: Role) -> None:
    """Raise Forbidden when the wanted role is above the caller's own."""
    if not at_most(own, wanted):
        raise Forbidden(
            f"Your role is '{own}', so you cannot give or manage the role '{wanted}'.",
            code="access.role_above_own",
            fix=f"Ask somebody with the role '{wanted}'.",
        )


def require_admin(actor: Actor) -> None:
    """Raise Forbidden unless the caller is an admin of the organization: for what concerns the server itself."""
    if actor.role is not Role.ADMIN:
        raise Forbidden(
            f"{actor.name} is not an admin of the organization.",
            code="access.not_admin",
            fix="Ask an admin of the organization.",
        )


class AccessEvent(StrEnum):
    """What the access room writes into the audit trail."""

    BOOTSTRAPPED = "bootstrap-instance"
    MACHINE_SIGNED_IN = "login-identity-universal-auth"
    PERSON_SIGNED_IN = "login-user"
    SIGN_IN_FAILED = "fail-sign-in"
    SIGN_IN_LOCKED = "lock-sign-in"
    TOKEN_REVOKED = "revoke-access-token"
    IDENTITY_CREATED = "create-identity"
    IDENTITY_UPDATED = "update-identity"
    IDENTITY_DELETED = "delete-identity"
    UNIVERSAL_AUTH_ADDED = "add-identity-universal-auth"
    UNIVERSAL_AUTH_UPDATED = "update-identity-universal-auth"
    UNIVERSAL_AUTH_REMOVED = "revoke-identity-universal-auth"
    CLIENT_SECRET_CREATED = "create-identity-universal-auth-client-secret"
    CLIENT_SECRET_REVOKED = "revoke-identity-universal-auth-client-secret"
    LOCKOUTS_CLEARED = "clear-identity-universal-auth-lockouts"
    USER_CREATED = "create-user"
    USER_ROLE_CHANGED = "update-user-role"
    USER_DELETED = "delete-user"
    USER_UNLOCKED = "unlock-user"
    PASSWORD_CHANGED = "change-user-password"
    PASSWORD_RESET = "reset-user-password"
    SIGNED_OUT = "logout-user"
    SESSIONS_ENDED = "end-user-sessions"
    SECOND_FACTOR_ADDED = "add-user-second-factor"
    SECOND_FACTOR_REMOVED = "remove-user-second-factor"
    RECOVERY_CODE_USED = "use-recovery-code"


# --- lockout ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LockoutPolicy:
    """After ``threshold`` failures, each within ``reset`` of the one before, sign-in is refused for ``duration``."""

    enabled: bool = True
    threshold: int = 3
    duration: timedelta = timedelta(seconds=300)
    reset: timedelta = timedelta(seconds=30)


PEOPLE = LockoutPolicy(threshold=5, reset=timedelta(minutes=15))
"""People mistype passwords, but not many times in a row."""


@dataclass(frozen=True)
class Attempts:
    """The failed sign-ins so far."""

    failures: int = 0
    last_failure_at: datetime | None = None
    locked_until: datetime | None = None

    def locked(self, now: datetime) -> bool:
        until = self.locked_until
        if until is None or self.last_failure_at is None:
            return until is not None and now < until
        return now < bounded(until, now, until - self.last_failure_at)


def after_failure(attempts: Attempts, policy: LockoutPolicy, now: datetime) -> Attempts:
    """Return the attempts after one more failure. While locked nothing changes, so a lock cannot be prolonged."""
    if not policy.enabled or attempts.locked(now):
        return attempts
    recent = attempts.last_failure_at is not None and now - attempts.last_failure_at <= policy.reset
    failures = attempts.failures + 1 if recent else 1
    if failures >= policy.threshold:
        return Attempts(0, now, now + policy.duration)
    return replace(attempts, failures=failures, last_failure_at=now, locked_until=None)


# --- how long a token lives -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenRules:
    """Seconds; 0 means without limit. A ``period`` makes a token renewable for ever, for one period each time."""

    ttl: int
    max_ttl: int
    uses_limit: int = 0
    period: int = 0


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
    left = int((expires_at - now).total_seconds()) if expires_at else 0
    return Lifetime(left, expires_at, renewable_until)
