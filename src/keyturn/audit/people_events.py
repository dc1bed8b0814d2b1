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
OTHERS_SESSIONS_ENDED = AuditEvent(
    "end-sessions-of-user",
    ACCESS,
    _USER,
    "Somebody ended sign-in sessions of another user; `accessTokens` says whether all access tokens ended as well.",
    ("ended", "accessTokens"),
)
