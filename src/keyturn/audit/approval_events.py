"""The audit events of two-person approval: part of the catalogue, see :mod:`keyturn.audit.events`."""

from keyturn.audit.domain import AuditEvent, SubjectKind

_TOPIC = "Approvals"
_SUBJECTS = (SubjectKind.CONNECTION, SubjectKind.SECRET_ROTATION, SubjectKind.ORGANIZATION, SubjectKind.PROJECT)
_FACTS = ("requestId", "change", "name", "parameters", "askedBy", "reason", "note")

APPROVAL_REQUESTED = AuditEvent(
    "request-approval", _TOPIC, _SUBJECTS, "Somebody asked for a change that another person has to approve.", _FACTS
)
APPROVAL_GIVEN = AuditEvent(
    "approve-request", _TOPIC, _SUBJECTS, "Another person approved a change, which was made with that.", _FACTS
)
APPROVAL_REJECTED = AuditEvent(
    "reject-request", _TOPIC, _SUBJECTS, "Another person rejected a change; `note` says why.", _FACTS
)
APPROVAL_WITHDRAWN = AuditEvent("withdraw-request", _TOPIC, _SUBJECTS, "Who asked for a change took it back.", _FACTS)
APPROVAL_BYPASSED = AuditEvent(
    "bypass-approval",
    _TOPIC,
    _SUBJECTS,
    "An administrator replaced what leaked at once, without a second person; `reason` says why.",
    _FACTS,
)
APPROVAL_RULES_CHANGED = AuditEvent(
    "update-approval-rules",
    _TOPIC,
    (SubjectKind.ORGANIZATION, SubjectKind.PROJECT),
    "What needs a second person was changed: `before` and `after`.",
    ("before", "after"),
)
