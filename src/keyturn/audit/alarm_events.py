"""The audit events of owners and alarms: part of the catalogue, see :mod:`keyturn.audit.events`."""

from keyturn.audit.domain import AuditEvent, SubjectKind

_TOPIC = "Owners and alarms"
_ALARM = (SubjectKind.ALARM,)
_CHANNEL = (SubjectKind.ALARM_CHANNEL,)
_OF_ALARM = ("kind", "subject", "subjectId", "reason", "until")
_OF_CHANNEL = ("name", "kind", "projectId", "config", "secretChanged", "enabled")

OWNER_CHANGED = AuditEvent(
    "change-owner",
    _TOPIC,
    (SubjectKind.CONNECTION, SubjectKind.SECRET_ROTATION),
    "Somebody else answers for it from now on, or is asked in another place: `before` and `after`.",
    ("name", "before", "after"),
)
ALARM_ACKNOWLEDGED = AuditEvent(
    "acknowledge-alarm", _TOPIC, _ALARM, "Somebody sees to an alarm: there are no reminders of it meanwhile.", _OF_ALARM
)
ALARM_SNOOZED = AuditEvent(
    "snooze-alarm", _TOPIC, _ALARM, "Nothing is told of an alarm until a moment, but that its end has come.", _OF_ALARM
)
ALARM_REOPENED = AuditEvent("reopen-alarm", _TOPIC, _ALARM, "An alarm is no longer acknowledged or snoozed.", _OF_ALARM)
ALARM_CHANNEL_CREATED = AuditEvent(
    "create-alarm-channel", _TOPIC, _CHANNEL, "Alarms are told through one more channel.", _OF_CHANNEL
)
ALARM_CHANNEL_UPDATED = AuditEvent(
    "update-alarm-channel", _TOPIC, _CHANNEL, "A channel of alarms was changed.", _OF_CHANNEL
)
ALARM_CHANNEL_DELETED = AuditEvent(
    "delete-alarm-channel", _TOPIC, _CHANNEL, "A channel of alarms was removed, with its messages.", _OF_CHANNEL
)
ALARM_CHANNEL_TESTED = AuditEvent(
    "test-alarm-channel", _TOPIC, _CHANNEL, "Somebody sent a message to try a channel.", ("name", "ok", "outcome")
)
ALARM_RULES_CHANGED = AuditEvent(
    "update-alarm-rules",
    _TOPIC,
    (SubjectKind.ORGANIZATION,),
    "When somebody is told of alarms was changed: `before` and `after`.",
    ("before", "after"),
)
