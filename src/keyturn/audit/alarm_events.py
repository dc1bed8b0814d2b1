"""The audit events of owners: part of the catalogue, see :mod:`keyturn.audit.events`."""

from keyturn.audit.domain import AuditEvent, SubjectKind

OWNER_CHANGED = AuditEvent(
    "change-owner",
    "Owners and alarms",
    (SubjectKind.CONNECTION, SubjectKind.SECRET_ROTATION),
    "Somebody else answers for it from now on, or is asked in another place: `before` and `after`.",
    ("name", "before", "after"),
)
