"""Names of audit events."""

from enum import StrEnum


class AccessEvent(StrEnum):
    """What happens to people, machine identities and access tokens."""

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
