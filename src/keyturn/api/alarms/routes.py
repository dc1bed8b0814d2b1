"""Routes of alarms, the rules by which somebody is told, and channels."""

from keyturn.alarms.channel_service import Channels
from keyturn.alarms.domain import Alarm, Attempt, Channel, Rules, Silence
from keyturn.alarms.message_store import Delivery
from keyturn.alarms.service import Alarms
from keyturn.api.alarms import schemas
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso, iso_or_none
from keyturn.web.routes import Routes, delete, get, group, post, put
from keyturn.web.schema.validate import Uuid

ALARMS, CHANNELS = "/api/v1/alarms", "/api/v1/alarm-channels"


def alarms_router(alarms: Alarms) -> Routes:
    @get(ALARMS, compressed=True)
    def list_alarms(actor: Actor, query: schemas.ListAlarms) -> schemas.AlarmList:
        """List the newest alarms of what the caller may see, at most 500."""
        found = alarms.list(actor, resolved=query.state == "resolved", project_id=query.project_id)
        at = alarms.evaluated_at(actor)
        return schemas.AlarmList([_alarm(alarm) for alarm in found], iso_or_none(at))

    @get(f"{ALARMS}/{{alarm_id}}")
    def get_alarm(actor: Actor, alarm_id: Uuid) -> schemas.AlarmWithMessages:
        """Show an alarm: who was told of it, when, through which channel, and each attempt."""
        history = alarms.get(actor, alarm_id)
        messages = [_message(each, history.channels) for each in history.deliveries]
        return schemas.AlarmWithMessages(_alarm(history.alarm), messages)

    @post(f"{ALARMS}/{{alarm_id}}/acknowledge")
    def acknowledge_alarm(actor: Actor, alarm_id: Uuid, data: schemas.AcknowledgeAlarm) -> schemas.AlarmAnswer:
        """Say that somebody sees to it: there are no reminders. Its next steps and its end are told all the same."""
        return schemas.AlarmAnswer(_alarm(alarms.acknowledge(actor, alarm_id, data.reason, data.until)))

    @post(f"{ALARMS}/{{alarm_id}}/snooze")
    def snooze_alarm(actor: Actor, alarm_id: Uuid, data: schemas.SnoozeAlarm) -> schemas.AlarmAnswer:
        """Have nothing told of an alarm for a time, at most 90 days, but that its end has come, or that it is over."""
        return schemas.AlarmAnswer(_alarm(alarms.snooze(actor, alarm_id, data.reason, data.until)))

    @post(f"{ALARMS}/{{alarm_id}}/reopen")
    def reopen_alarm(actor: Actor, alarm_id: Uuid) -> schemas.AlarmAnswer:
        """End the silence of an alarm."""
        return schemas.AlarmAnswer(_alarm(alarms.reopen(actor, alarm_id)))

    @get("/api/v1/alarm-rules")
    def get_alarm_rules(actor: Actor) -> schemas.AlarmRulesAnswer:
        """Show when somebody is told. For administrators of the organization."""
        return _rules(alarms.rules(actor))

    @put("/api/v1/alarm-rules")
    def change_alarm_rules(actor: Actor, data: schemas.AlarmRules) -> schemas.AlarmRulesAnswer:
        """Change when somebody is told. For administrators of the organization."""
        return _rules(alarms.change_rules(actor, data.command()))

    return group(
        "Alarms",
        list_alarms,
        get_alarm,
        acknowledge_alarm,
        snooze_alarm,
        reopen_alarm,
        get_alarm_rules,
        change_alarm_rules,
    )


def channels_router(channels: Channels) -> Routes:
    @get(CHANNELS)
    def list_alarm_channels(actor: Actor) -> schemas.ChannelList:
        """List the channels through which alarms are told. For administrators of the organization."""
        return schemas.ChannelList([_channel(each) for each in channels.list(actor)])

    @post(CHANNELS)
    def create_alarm_channel(actor: Actor, data: schemas.CreateChannel) -> schemas.ChannelAnswer:
        """Add a channel, and test it afterwards: nothing is sent now, and within a minute what goes on already."""
        return schemas.ChannelAnswer(_channel(channels.create(actor, data.draft(data.kind))))

    @get(f"{CHANNELS}/{{channel_id}}")
    def get_alarm_channel(actor: Actor, channel_id: Uuid) -> schemas.ChannelAnswer:
        """Show a channel. Its secret is never shown."""
        return schemas.ChannelAnswer(_channel(channels.get(actor, channel_id)))

    @put(f"{CHANNELS}/{{channel_id}}")
    def change_alarm_channel(actor: Actor, channel_id: Uuid, data: schemas.ChannelBody) -> schemas.ChannelAnswer:
        """Change a channel to this. Its kind stays, and without a new secret the one that is there."""
        return schemas.ChannelAnswer(_channel(channels.update(actor, channel_id, data.draft(""))))

    @delete(f"{CHANNELS}/{{channel_id}}")
    def delete_alarm_channel(actor: Actor, channel_id: Uuid) -> schemas.ChannelAnswer:
        """Remove a channel, with what was to be sent through it."""
        return schemas.ChannelAnswer(_channel(channels.delete(actor, channel_id)))

    @post(f"{CHANNELS}/{{channel_id}}/test")
    def test_alarm_channel(actor: Actor, channel_id: Uuid) -> schemas.ChannelTestAnswer:
        """Send a real message now, and say what came of it."""
        attempts = channels.test(actor, channel_id)
        ok = bool(attempts) and all(attempt.ok for attempt in attempts)
        return schemas.ChannelTestAnswer(ok, [_attempt(attempt) for attempt in attempts])

    @get(f"{CHANNELS}/{{channel_id}}/messages", compressed=True)
    def list_alarm_channel_messages(actor: Actor, channel_id: Uuid) -> schemas.ChannelMessages:
        """List the newest messages of a channel, at most 50, with each attempt."""
        name = channels.get(actor, channel_id).name
        found = channels.messages(actor, channel_id)
        return schemas.ChannelMessages([_message(each, {channel_id: name}) for each in found])

    return group(
        "Alarm channels",
        list_alarm_channels,
        create_alarm_channel,
        get_alarm_channel,
        change_alarm_channel,
        delete_alarm_channel,
        test_alarm_channel,
        list_alarm_channel_messages,
    )


def _alarm(alarm: Alarm) -> schemas.AlarmShown:
    return schemas.AlarmShown(
        id=alarm.id,
        kind=alarm.kind,
        state=alarm.state,
        severity=alarm.severity.value,
        subject_kind=alarm.subject_kind,
        subject_id=alarm.subject_id,
        subject=alarm.subject,
        project_id=alarm.place.project_id,
        cause=alarm.cause,
        fix=alarm.fix,
        path=alarm.path,
        owner_id=alarm.owner_id,
        contact=alarm.contact,
        since=iso_or_none(alarm.since),
        ends_at=iso_or_none(alarm.ends_at),
        opened_at=iso(alarm.opened_at),
        escalated_at=iso_or_none(alarm.escalated_at),
        resolved_at=iso_or_none(alarm.resolved_at),
        silence=_silence(alarm.silence),
    )


def _silence(silence: Silence | None) -> schemas.SilenceShown | None:
    if silence is None:
        return None
    return schemas.SilenceShown(
        silence.kind.value, silence.by, silence.reason, iso(silence.at), iso_or_none(silence.until)
    )


def _message(delivery: Delivery, names: dict[str, str]) -> schemas.MessageShown:
    message = delivery.message
    return schemas.MessageShown(
        id=message.id,
        event=delivery.event,
        channel_id=message.channel_id,
        channel=names.get(message.channel_id, ""),
        receiver=message.receiver,
        state=message.state,
        created_at=iso(message.created_at),
        sent_at=iso_or_none(message.sent_at),
        next_at=iso_or_none(message.due_at),
        attempts=[_attempt(attempt) for attempt in delivery.attempts],
    )


def _attempt(attempt: Attempt) -> schemas.AttemptShown:
    return schemas.AttemptShown(iso(attempt.at), attempt.ok, attempt.outcome)


def _rules(rules: Rules) -> schemas.AlarmRulesAnswer:
    return schemas.AlarmRulesAnswer(schemas.AlarmRules(list(rules.days), rules.reaction_days, rules.reminder_days))


def _channel(channel: Channel) -> schemas.ChannelShown:
    return schemas.ChannelShown(
        id=channel.id,
        name=channel.name,
        kind=channel.kind,
        config=channel.config,
        has_secret=channel.secret is not None,
        project_id=channel.project_id,
        least_severity=channel.least.value,
        digest_hour=channel.digest_hour,
        time_zone=channel.time_zone,
        enabled=channel.enabled,
        failing_since=iso_or_none(channel.failing_since),
        failure=channel.failure,
        created_at=iso(channel.created_at),
        updated_at=iso(channel.updated_at),
    )
