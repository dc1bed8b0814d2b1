"""The part of the catalogue of audit events that is about people of Entra ID and what their groups give, see ``events``."""

from keyturn.audit.domain import AuditEvent, SubjectKind
from keyturn.audit.identity_events import ACCESS

_USER = (SubjectKind.USER,)
_ORGANIZATION = (SubjectKind.ORGANIZATION,)
_OF_GROUP = ("groupId", "groupName", "projectId", "role")
_OF_LINK = ("email", "tenantId", "objectId")

PERSON_VOUCHED = AuditEvent(
    "login-user-entra",
    ACCESS,
    _USER,
    "A person signed in through Entra ID; `groups` is how many groups they are in.",
    ("ip", "tenantId", "objectId", "groups"),
)
PERSON_REFUSED = AuditEvent(
    "refuse-user-entra",
    ACCESS,
    (*_USER, *_ORGANIZATION),
    "A sign-in through Entra ID was refused; `reason` is the code of the error, `found` what a token with a right signature says "
    "there. At most one event each minute for each reason and person.",
    ("ip", "reason", "found", "tenantId", "objectId", "account"),
)
USER_LINKED = AuditEvent(
    "link-user-entra", ACCESS, _USER, "Somebody of Entra ID signs in as this user from now on.", _OF_LINK
)
USER_UNLINKED = AuditEvent(
    "unlink-user-entra", ACCESS, _USER, "Nobody of Entra ID signs in as this user any more.", _OF_LINK
)
GROUP_ROLE_ADDED = AuditEvent(
    "create-group-role",
    ACCESS,
    _ORGANIZATION,
    "Members of a group have a role from their next sign-in on, in the organization or in the project `projectId`.",
    _OF_GROUP,
)
GROUP_ROLE_REMOVED = AuditEvent(
    "delete-group-role", ACCESS, _ORGANIZATION, "A group gives a role no longer, from the next sign-ins on.", _OF_GROUP
)
