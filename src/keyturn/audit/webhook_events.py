"""Audit events of webhooks. The address is named by its host alone: what follows may be a secret of the receiver."""

from keyturn.audit.domain import AuditEvent, SubjectKind

_TOPIC = "Webhooks"
_WEBHOOK = (SubjectKind.WEBHOOK,)
_FIELDS = ("host", "environment", "secretPath", "actsFor")

WEBHOOK_CREATED = AuditEvent(
    "create-webhook", _TOPIC, _WEBHOOK, "Changes of a project are told to one more address.", _FIELDS
)
WEBHOOK_UPDATED = AuditEvent("update-webhook", _TOPIC, _WEBHOOK, "A webhook was changed.", (*_FIELDS, "enabled"))
WEBHOOK_DELETED = AuditEvent("delete-webhook", _TOPIC, _WEBHOOK, "A webhook was removed, with its messages.", _FIELDS)
WEBHOOK_SECRET_ROTATED = AuditEvent(
    "rotate-webhook-secret", _TOPIC, _WEBHOOK, "A webhook has a new signing secret; both sign for a day.", _FIELDS
)
WEBHOOK_TESTED = AuditEvent("test-webhook", _TOPIC, _WEBHOOK, "Somebody sent a message to try a webhook.", _FIELDS)
WEBHOOK_DISABLED = AuditEvent(
    "disable-webhook", _TOPIC, _WEBHOOK, "The server switched a webhook off; `reason` says why.", (*_FIELDS, "reason")
)
WEBHOOK_REPLAYED = AuditEvent(
    "replay-webhook-message", _TOPIC, _WEBHOOK, "Somebody had a message sent again.", (*_FIELDS, "message")
)
