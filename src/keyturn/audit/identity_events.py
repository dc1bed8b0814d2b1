"""The part of the catalogue of audit events that is about machine identities, see ``events``."""

from keyturn.audit.domain import AuditEvent, SubjectKind

ACCESS = "People, machines and their tokens"

_IDENTITY = (SubjectKind.IDENTITY,)
_SIGN_IN_RULES = (
    "access_token_ttl",
    "access_token_max_ttl",
    "access_token_uses_limit",
    "access_token_period",
    "client_secret_trusted_ips",
    "access_token_trusted_ips",
    "lockout_enabled",
    "lockout_threshold",
    "lockout_seconds",
    "lockout_reset_seconds",
)

MACHINE_SIGNED_IN = AuditEvent(
    "login-identity-universal-auth", ACCESS, _IDENTITY, "A machine identity signed in.", ("clientSecretId", "ip")
)
MACHINE_SIGNED_IN_BY_TOKEN = AuditEvent(
    "login-identity-signed-token",
    ACCESS,
    _IDENTITY,
    "A machine identity signed in with a token that others sign; `method` says by which method.",
    ("method", "tokenSubject", "ip"),
)
MACHINE_TOKEN_REFUSED = AuditEvent(
    "refuse-identity-signed-token",
    ACCESS,
    _IDENTITY,
    "Such a token was refused: `reason` is what did not match, and `found` what a token with a right signature says there. At "
    "most one event each minute for each reason.",
    ("method", "reason", "found", "ip"),
)
IDENTITY_CREATED = AuditEvent("create-identity", ACCESS, _IDENTITY, "A machine identity was added.", ("name", "role"))
IDENTITY_UPDATED = AuditEvent(
    "update-identity", ACCESS, _IDENTITY, "A machine identity was changed.", ("name", "role", "hasDeleteProtection")
)
IDENTITY_DELETED = AuditEvent(
    "delete-identity", ACCESS, _IDENTITY, "A machine identity was removed, with tokens and memberships.", ("name",)
)
UNIVERSAL_AUTH_ADDED = AuditEvent(
    "add-identity-universal-auth",
    ACCESS,
    _IDENTITY,
    "A machine identity may now sign in with client id and secret.",
    _SIGN_IN_RULES,
)
UNIVERSAL_AUTH_UPDATED = AuditEvent(
    "update-identity-universal-auth",
    ACCESS,
    _IDENTITY,
    "The rules of a machine identity's sign-in were changed.",
    _SIGN_IN_RULES,
)
UNIVERSAL_AUTH_REMOVED = AuditEvent(
    "revoke-identity-universal-auth",
    ACCESS,
    _IDENTITY,
    "A machine identity may no longer sign in; its client secrets and tokens ended.",
)
LOCKOUTS_CLEARED = AuditEvent(
    "clear-identity-universal-auth-lockouts",
    ACCESS,
    _IDENTITY,
    "Sign-in locks of a machine identity were ended.",
    ("deleted",),
)
CLIENT_SECRET_CREATED = AuditEvent(
    "create-identity-universal-auth-client-secret",
    ACCESS,
    _IDENTITY,
    "A client secret of a machine identity was made.",
    ("clientSecretId",),
)
CLIENT_SECRET_REVOKED = AuditEvent(
    "revoke-identity-universal-auth-client-secret",
    ACCESS,
    _IDENTITY,
    "A client secret of a machine identity ended, with its tokens.",
    ("clientSecretId",),
)
TOKEN_AUTH_ADDED = AuditEvent(
    "add-identity-signed-token-auth",
    ACCESS,
    _IDENTITY,
    "A machine identity may now sign in with tokens that others sign, by `method`.",
    ("method", "settings"),
)
TOKEN_AUTH_UPDATED = AuditEvent(
    "update-identity-signed-token-auth",
    ACCESS,
    _IDENTITY,
    "What such tokens must say was changed; `settings` are those that were given.",
    ("method", "settings"),
)
TOKEN_AUTH_REMOVED = AuditEvent(
    "revoke-identity-signed-token-auth",
    ACCESS,
    _IDENTITY,
    "A machine identity may no longer sign in by `method`; the access tokens got by it ended.",
    ("method",),
)
