"""The events of backups, declared for :mod:`keyturn.audit.events`."""

from keyturn.audit.domain import AuditEvent, SubjectKind

BACKUP_RESTORED = AuditEvent(
    "restore-backup",
    "Backups",
    (SubjectKind.ORGANIZATION,),
    "The database was restored from a backup: what happened between the moment it was made and now is not in the trail.",
    ("madeAt", "madeBy", "database", "sha256"),
)
