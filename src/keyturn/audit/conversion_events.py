"""Audit events of connections that give their secret up."""

from keyturn.audit.domain import AuditEvent, SubjectKind

_TOPIC = "App connections"
_CONNECTION = (SubjectKind.CONNECTION,)
_FIELDS = ("name", "app", "tokenSource", "issuer", "subject", "federatedCredential")

CONVERSION_BEGUN = AuditEvent(
    "begin-app-connection-conversion",
    _TOPIC,
    _CONNECTION,
    "Somebody has the connection made to sign in without a secret: its application is going to trust this identity.",
    (*_FIELDS, "watchHours"),
)
CONVERSION_PUBLISHED = AuditEvent(
    "publish-app-connection-conversion",
    _TOPIC,
    _CONNECTION,
    "The connection signs in without a secret now, and is watched until `watchedUntil`; the secret of before is kept.",
    (*_FIELDS, "watchedUntil"),
)
CONVERSION_FINISHED = AuditEvent(
    "finish-app-connection-conversion",
    _TOPIC,
    _CONNECTION,
    "The watch is over: the secret of before is being removed, unless `heldBy` other connections sign in with it.",
    (*_FIELDS, "heldBy"),
)
CONVERSION_LEFT = AuditEvent(
    "leave-app-connection-conversion",
    _TOPIC,
    _CONNECTION,
    "The connection went back, and what its application was made to trust cannot be removed: somebody leaves it there.",
    (*_FIELDS, "code"),
)
CONVERSION_WITHDRAWN = AuditEvent(
    "withdraw-app-connection-conversion",
    _TOPIC,
    _CONNECTION,
    "The connection signs in as before; what its application was made to trust is being removed. `code` says why, `asked` that "
    "somebody asked for it.",
    (*_FIELDS, "code", "asked"),
)
