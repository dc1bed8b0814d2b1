"""JSON of alarms, their rules and channels."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from keyturn.alarms.channel_service import ChannelDraft
from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Rules
from keyturn.kit.secret import Plaintext
from keyturn.web.schema.validate import Fault, NonEmpty, Uuid, printable, trimmed
from keyturn.web.schema.wire import ApiModel, Timestamp

Reason = Annotated[NonEmpty, printable, Meta(max_length=500)]
Name = Annotated[NonEmpty, printable, Meta(max_length=64)]
Kind = Literal["webhook", "email", "slack", "teams", "apprise"]
Moment = Annotated[datetime, Meta(tz=True)]
Address = Annotated[str, trimmed, Meta(max_length=2000)]

# --- what is asked ----------------------------------------------------------------------------------------------------


class ListAlarms(ApiModel):
    state: Literal["open", "resolved"] = "open"
    project_id: Uuid | None = None


class AcknowledgeAlarm(ApiModel):
    """``until``: when the silence is over; absent, it lasts as long as the alarm."""

    reason: Reason
    until: Moment | None = None


class SnoozeAlarm(ApiModel):
    reason: Reason
    until: Annotated[datetime, Meta(tz=True, examples=["2026-12-24T08:00:00Z"])]


class AlarmRules(ApiModel):
    """``daysBeforeEnd``: some of 60, 30, 14, 7, 3 and 1; that an end has come is always told."""

    days_before_end: Annotated[
        list[Annotated[int, Meta(ge=1, le=60)]], Meta(min_length=1, max_length=6, examples=[[30, 7, 1]])
    ]
    reaction_days: Annotated[int, Meta(ge=1, le=30)] = 3
    reminder_days: Annotated[int, Meta(ge=1, le=90)] = 7

    def command(self) -> Rules:
        return Rules(tuple(self.days_before_end), self.reaction_days, self.reminder_days)


class ChannelSettings(ApiModel):
    """Of a webhook: ``url``. Of Slack, Teams and apprise: nothing, since their address is the secret. Of e-mail: the others;
    without ``host`` the mail server of the settings is used.

    ``to`` are receivers in place of the administrators; ``owners``: whether owners are written to.
    """

    url: Address = ""
    host: Annotated[str, trimmed, Meta(max_length=255)] = ""
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Annotated[str, trimmed, Meta(max_length=255)] = ""
    sender: Annotated[str, trimmed, Meta(max_length=255)] = msgspec.field(default="", name="from")
    to: Annotated[list[Annotated[str, trimmed, Meta(max_length=255)]], Meta(max_length=50)] = msgspec.field(
        default_factory=list
    )
    owners: bool = True


class ChannelBody(ApiModel, kw_only=True):
    """``secret``: what the kind of channel needs; it is never shown again, and without it the one that is there stays.

    ``projectId``: only alarms of this project. ``leastSeverity``: what is less severe and has no end is not told. What can
    wait is told once a day, at ``digestHour`` on the clocks of ``timeZone``.
    """

    name: Name
    config: ChannelSettings = msgspec.field(default_factory=ChannelSettings)
    secret: Annotated[Plaintext, trimmed, Meta(min_length=1, max_length=4000)] | None = None
    project_id: Uuid | None = None
    least_severity: Severity = Severity.NOTICE
    digest_hour: Annotated[int, Meta(ge=0, le=23)] = 8
    time_zone: Annotated[str, trimmed, Meta(max_length=64)] = "UTC"
    enabled: bool = True

    def draft(self, kind: str) -> ChannelDraft:
        return ChannelDraft(
            self.name,
            kind,
            msgspec.to_builtins(self.config),
            self.secret,
            self.project_id,
            self.least_severity,
            self.digest_hour,
            self.time_zone,
            self.enabled,
        )


class CreateChannel(ChannelBody, kw_only=True):
    kind: Annotated[Kind, Meta(examples=["email"])]

    def check(self) -> Iterator[Fault]:
        if self.kind == "webhook" and not self.config.url:
            yield Fault("Required: say where the webhook leads", path=("config", "url"))


# --- what is answered -------------------------------------------------------------------------------------------------


class SilenceShown(ApiModel):
    kind: str
    by: str
    reason: str
    at: Timestamp
    until: Timestamp | None


class AlarmShown(ApiModel):
    """``state``: open, acknowledged, snoozed or resolved. ``path`` is the page of this server where something can be done."""

    id: str
    kind: str
    state: str
    severity: str
    subject_kind: str
    subject_id: str
    subject: str
    project_id: str | None
    cause: str
    fix: str
    path: str
    owner_id: str | None
    contact: str | None
    since: Timestamp | None
    ends_at: Timestamp | None
    opened_at: Timestamp
    escalated_at: Timestamp | None
    resolved_at: Timestamp | None
    silence: SilenceShown | None


class AttemptShown(ApiModel):
    at: Timestamp
    ok: bool
    outcome: str


class MessageShown(ApiModel):
    """``state``: waiting, sent or given-up. ``event`` is what it tells of the alarm, or its kind in the list of a channel."""

    id: str
    event: str
    channel_id: str
    channel: str
    receiver: str
    state: str
    created_at: Timestamp
    sent_at: Timestamp | None
    next_at: Timestamp | None
    attempts: list[AttemptShown]


class AlarmList(ApiModel):
    """``evaluatedAt`` is when it was last looked whether something opened or ended: mostly within the last minute."""

    alarms: list[AlarmShown]
    evaluated_at: Timestamp | None


class AlarmAnswer(ApiModel):
    alarm: AlarmShown


class AlarmWithMessages(ApiModel):
    alarm: AlarmShown
    messages: list[MessageShown]


class AlarmRulesAnswer(ApiModel):
    rules: AlarmRules


class ChannelShown(ApiModel):
    """``failingSince`` and ``failure``: why the last messages were not taken."""

    id: str
    name: str
    kind: str
    config: dict[str, Any]
    has_secret: bool
    project_id: str | None
    least_severity: str
    digest_hour: int
    time_zone: str
    enabled: bool
    failing_since: Timestamp | None
    failure: str | None
    created_at: Timestamp
    updated_at: Timestamp


class ChannelList(ApiModel):
    channels: list[ChannelShown]


class ChannelAnswer(ApiModel):
    channel: ChannelShown


class ChannelMessages(ApiModel):
    messages: list[MessageShown]


class ChannelTestAnswer(ApiModel):
    """One attempt for each receiver."""

    ok: bool
    attempts: list[AttemptShown]
