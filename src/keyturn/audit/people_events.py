"""The part of the catalogue of audit events that is about how people come in and are helped, see ``events``."""

from keyturn.audit.domain import AuditEvent, SubjectKind
from keyturn.audit.identity_events import ACCESS

_USER = (SubjectKind.USER,)

USER_INVITED = AuditEvent(
    "invite-user",
    ACCESS,
    _USER,
    "A user was added with a one-time link, with which they set their own password.",
    ("email", "role", "projects", "expiresAt"),
)
INVITATION_RENEWED = AuditEvent(
    "renew-invitation", ACCESS, _USER, "An invited user got another link; the one before ended.", ("email", "expiresAt")
)
INVITATION_WITHDRAWN = AuditEvent(
    "withdraw-invitation",
    ACCESS,
    _USER,
    "An invitation that was not accepted ended, and its user was removed.",
    ("email",),
)
INVITATION_ACCEPTED = AuditEvent("accept-invitation", ACCESS, _USER, "An invited user set their own password.", ("ip",))
PASSWORD_LINK_MADE = AuditEvent(
    "create-password-link",
    ACCESS,
    _USER,
    "A one-time link was made with which a user sets a new password.",
    ("email", "expiresAt"),
)
PASSWORD_LINK_USED = AuditEvent(
    "use-password-link", ACCESS, _USER, "A user set a new password with a one-time link.", ("ip",)
)
TEMPORARY_PASSWORD_SET = AuditEvent(
    "set-temporary-password",
    ACCESS,
    _USER,
    "Somebody gave a user a temporary password, which has to be changed at the next sign-in.",
    ("email",),
)
SECOND_FACTOR_POLICY_CHANGED = AuditEvent(
    "change-second-factor-policy",
    ACCESS,
    (SubjectKind.ORGANIZATION,),
    "`required` says whether everybody who signs in with a password needs a second factor from now on.",
    ("required",),
)
USER_UPDATED = AuditEvent(
    "update-user",
    ACCESS,
    _USER,
    "A client that provisions users changed the name or the address of a user; `before` is the address they had.",
    ("email", "before"),
)
SCIM_TOKEN_CREATED = AuditEvent(
    "create-scim-token",
    ACCESS,
    (SubjectKind.ORGANIZATION,),
    "A token was made with which a client provisions users and groups.",
    ("tokenId", "name", "expiresAt"),
)
SCIM_TOKEN_REVOKED = AuditEvent(
    "revoke-scim-token",
    ACCESS,
    (SubjectKind.ORGANIZATION,),
    "A token with which a client provisions users and groups ended.",
    ("tokenId", "name"),
)
_OF_GROUP = ("groupId", "externalId", "name")
SCIM_GROUP_CREATED = AuditEvent(
    "create-group", ACCESS, (SubjectKind.ORGANIZATION,), "A client that provisions users added a group.", _OF_GROUP
)
SCIM_GROUP_CHANGED = AuditEvent(
    "update-group",
    ACCESS,
    (SubjectKind.ORGANIZATION,),
    "A client that provisions users changed a group; `added` and `removed` say how many members.",
    (*_OF_GROUP, "added", "removed"),
)
SCIM_GROUP_DELETED = AuditEvent(
    "delete-group", ACCESS, (SubjectKind.ORGANIZATION,), "A client that provisions users removed a group.", _OF_GROUP
)
OTHERS_SESSIONS_ENDED = AuditEvent(
    "end-sessions-of-user",
    ACCESS,
    _USER,
    "Somebody ended sign-in sessions of another user; `accessTokens` says whether all access tokens ended as well.",
    ("ended", "accessTokens"),
)
