"""The events of projects, their environments, members and roles: a part of the catalogue in ``events``."""

from keyturn.audit.domain import AuditEvent, SubjectKind

_PROJECT = (SubjectKind.PROJECT,)
_SOMEBODY = (SubjectKind.USER, SubjectKind.IDENTITY)
_OF_MEMBER = ("projectId", "name", "role")
_PROJECTS = "Projects"

PROJECT_CREATED = AuditEvent("create-project", _PROJECTS, _PROJECT, "A project was made.", ("name", "slug"))
PROJECT_UPDATED = AuditEvent(
    "update-project",
    _PROJECTS,
    _PROJECT,
    "A project was changed.",
    ("name", "slug", "previousSlug", "hasDeleteProtection", "auditLogsRetentionDays", "pitVersionLimit"),
)
PROJECT_DELETED = AuditEvent(
    "delete-project", _PROJECTS, _PROJECT, "A project was deleted.", ("name", "slug", "deletionId")
)
PROJECT_RESTORED = AuditEvent(
    "restore-project",
    _PROJECTS,
    _PROJECT,
    "A project that had been deleted was restored.",
    ("name", "slug", "deletionId"),
)
ENVIRONMENT_CREATED = AuditEvent(
    "create-environment",
    _PROJECTS,
    _PROJECT,
    "An environment was added.",
    ("environmentId", "name", "slug", "position"),
)
ENVIRONMENT_UPDATED = AuditEvent(
    "update-environment",
    _PROJECTS,
    _PROJECT,
    "An environment was changed. Events from before name it by its previous slug.",
    ("environmentId", "name", "slug", "previousSlug", "position"),
)
ENVIRONMENT_DELETED = AuditEvent(
    "delete-environment", _PROJECTS, _PROJECT, "An environment was deleted.", ("environmentId", "slug", "deletionId")
)
ENVIRONMENT_RESTORED = AuditEvent(
    "restore-environment",
    _PROJECTS,
    _PROJECT,
    "An environment that had been deleted was restored, with all in it.",
    ("environmentId", "name", "slug", "previousSlug", "deletionId"),
)
MEMBER_ADDED = AuditEvent(
    "add-project-member", _PROJECTS, _SOMEBODY, "Somebody became a member of a project.", _OF_MEMBER
)
MEMBER_ROLE_CHANGED = AuditEvent(
    "update-project-member-role", _PROJECTS, _SOMEBODY, "A member got another role.", (*_OF_MEMBER, "before")
)
MEMBER_REMOVED = AuditEvent(
    "remove-project-member", _PROJECTS, _SOMEBODY, "Somebody is no longer a member of a project.", _OF_MEMBER
)

_OF_ROLE = ("slug", "name", "numberOfPermissions")
ROLE_CREATED = AuditEvent(
    "create-project-role", _PROJECTS, (SubjectKind.ROLE,), "A project got a role of its own.", _OF_ROLE
)
ROLE_UPDATED = AuditEvent(
    "update-project-role", _PROJECTS, (SubjectKind.ROLE,), "A role of a project was changed.", _OF_ROLE
)
ROLE_DELETED = AuditEvent(
    "delete-project-role", _PROJECTS, (SubjectKind.ROLE,), "A role of a project was removed.", _OF_ROLE
)
