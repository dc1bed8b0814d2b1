"""Audit events of the server itself."""

from keyturn.audit.domain import AuditEvent, SubjectKind

ROOT_KEY_CHANGED = AuditEvent(
    "change-root-key",
    "The server",
    (SubjectKind.ORGANIZATION,),
    "The operator changed the key that wraps the data keys; `place` is environment, file or vault. Ids only.",
    ("place", "rootKeyIds", "previousRootKeyIds"),
)
RECEIPT_KEY_REPLACED = AuditEvent(
    "replace-receipt-key",
    "The server",
    (SubjectKind.ORGANIZATION,),
    "The operator had another key sign receipts from now on. Ids only; that of before goes on verifying what it signed.",
    ("keyId", "previousKeyId"),
)
