"""What becomes of an alarm, and who is told: the alarm as it was, the condition as it is, and the moment in; a decision out.

Pure. The same input twice gives the same decision, and what was decided is not decided again once it is written down.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.alarms.conditions.domain import Condition, ConditionKind, Severity, days_before_end
from keyturn.alarms.domain import Alarm, Audience, Event, Notice, Rules, Silence, SilenceKind
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import not_after, shift
from keyturn.ownership.domain import NOBODY, Owner

AT_ONCE = frozenset(
    {
        ConditionKind.CREDENTIAL_APPEARED,
        ConditionKind.CREDENTIAL_VANISHED,
        ConditionKind.OWNER_LEFT,
        ConditionKind.APPROVAL_WAITS,
        ConditionKind.APPROVAL_BYPASSED,
    }
)
"""Told at once however severe: somebody else changed what this server keeps, nobody is left who would be told, or a request
waits that expires.
"""
DAILY = frozenset({ConditionKind.TENANT_CREDENTIAL_ENDS})
"""Told in the daily message however near: of what this server only reads, and does not keep."""
DAILY_IS_TOO_LATE = timedelta(hours=50)
"""A daily message comes within 25 hours: what ends within this is told at once, a day before or at once."""


@dataclass(frozen=True)
class Decision:
    """The alarm as it is to be kept, None for no alarm, and who is to be told of it."""

    alarm: Alarm | None
    notices: tuple[Notice, ...] = ()


def decide(
    alarm: Alarm | None, condition: Condition | None, now: datetime, rules: Rules, alarm_id: str, owner: Owner = NOBODY
) -> Decision:
    """Decide on an open alarm (or None) and its condition (or None). ``alarm_id`` is that of an alarm that opens now."""
    if condition is None or not _concerns(condition, now, rules):
        return _resolve(alarm, condition, now)
    if alarm is None:
        return _open(condition, now, rules, alarm_id, owner)
    return _go_on(_as_seen(alarm, condition, now, owner), alarm, now, rules)


def step_of(ends_at: datetime | None, now: datetime, rules: Rules) -> int | None:
    """Return the fewest days before the end that have been reached, of those of the rules; 0 at the end."""
    if ends_at is None or days_before_end(ends_at, now) == 0:
        return None if ends_at is None else 0
    return min((days for days in rules.days if ends_at <= shift(now, timedelta(days=days))), default=None)


def urgent(kind: str, severity: Severity, ends_at: datetime | None, now: datetime) -> bool:
    """Say whether it is told at once. What fails is; what ends only when a daily message would come too late."""
    if kind in DAILY:
        return False
    if ends_at is not None:
        return ends_at <= shift(now, DAILY_IS_TOO_LATE)
    return severity is Severity.CRITICAL or kind in AT_ONCE


def _concerns(condition: Condition, now: datetime, rules: Rules) -> bool:
    """Say whether anybody is told of it at all: of what needs somebody, and of an end from the first day of the rules on."""
    if condition.ends_at is not None:
        return step_of(condition.ends_at, now, rules) is not None
    return condition.needs_action or condition.kind in AT_ONCE


def _open(condition: Condition, now: datetime, rules: Rules, alarm_id: str, owner: Owner) -> Decision:
    blank = Alarm(
        id=alarm_id,
        kind=condition.kind.value,
        key=condition.key,
        severity=condition.severity,
        subject_kind=condition.subject.kind.value,
        subject_id=condition.subject.id,
        subject=condition.subject.name,
        place=condition.place,
        cause="",
        fix="",
        path="",
        opened_at=now,
        reminded_at=now,
    )
    alarm = _as_seen(blank, condition, now, owner)
    alarm = replace(alarm, step=step_of(alarm.ends_at, now, rules))
    return Decision(alarm, (first_notice(alarm, now),))


def _as_seen(alarm: Alarm, condition: Condition, now: datetime, owner: Owner) -> Alarm:
    """Return the alarm with what is known of its condition now. Moments that a wrong clock wrote count as now."""
    return replace(
        alarm,
        severity=condition.severity,
        subject=condition.subject.name,
        place=condition.place,
        cause=condition.cause,
        fix=condition.fix,
        path=condition.path,
        since=condition.since,
        ends_at=condition.ends_at,
        owner_id=None if owner.left else owner.user_id,
        contact=owner.contact,
        opened_at=not_after(alarm.opened_at, now),
        reminded_at=not_after(alarm.reminded_at, now),
        escalated_at=alarm.escalated_at and not_after(alarm.escalated_at, now),
        silence=_still(alarm, now),
    )


def _still(alarm: Alarm, now: datetime) -> Silence | None:
    silence = alarm.silence
    return None if silence and silence.until is not None and silence.until <= now else silence


def _go_on(alarm: Alarm, before: Alarm, now: datetime, rules: Rules) -> Decision:
    step = step_of(alarm.ends_at, now, rules)
    event = _event(replace(alarm, step=step), before, now, rules)
    alarm = replace(alarm, step=step)
    notices: list[Notice] = []
    if event is not None:
        alarm = replace(alarm, reminded_at=now)
        notices.append(_notice(alarm, event, now))
    if _unanswered(alarm, now, rules):
        alarm = replace(alarm, escalated_at=now, reminded_at=now)
        notices = [_notice(alarm, event or Event.ESCALATED, now)]
    return Decision(alarm, tuple(notices))


def _event(alarm: Alarm, before: Alarm, now: datetime, rules: Rules) -> Event | None:
    """Return what there is to tell again."""
    silence = alarm.silence.kind if alarm.silence else None
    nearer = alarm.step is not None and (before.step is None or alarm.step < before.step)
    if alarm.step == 0 and alarm.ends_at != before.ends_at:
        nearer = True  # what had ended was replaced, and that has ended, too, since the last look
    if nearer and alarm.step == 0:
        return Event.ENDED
    if silence is SilenceKind.SNOOZED:
        return None
    if nearer:
        return Event.NEARER
    if alarm.ends_at is None and alarm.severity is Severity.CRITICAL and before.severity is not Severity.CRITICAL:
        return Event.WORSE
    again = shift(alarm.reminded_at, timedelta(days=rules.reminder_days)) <= now
    woken = before.silence is not None and silence is None
    return Event.REMINDER if silence is None and (again or woken) else None


def _unanswered(alarm: Alarm, now: datetime, rules: Rules) -> bool:
    """Say whether its owner was told long ago, nobody has reacted, and administrators were not told yet."""
    waited = shift(alarm.opened_at, timedelta(days=rules.reaction_days)) <= now
    return waited and alarm.owner_id is not None and alarm.escalated_at is None and alarm.silence is None


def _resolve(alarm: Alarm | None, condition: Condition | None, now: datetime) -> Decision:
    """Close the alarm. Of an end that still is to come, and that is only told later by now, nobody is told that it is over."""
    if alarm is None:
        return Decision(None)
    if condition is not None and condition.ends_at is not None and condition.ends_at == alarm.ends_at:
        return Decision(replace(alarm, resolved_at=now))
    at_once = urgent(alarm.kind, alarm.severity, alarm.ends_at, now)
    return Decision(replace(alarm, resolved_at=now), (Notice(Event.RESOLVED, _audience(alarm), at_once),))


def first_notice(alarm: Alarm, now: datetime) -> Notice:
    """Return what somebody is told who did not know of the alarm."""
    return _notice(alarm, Event.ENDED if alarm.step == 0 else Event.OPENED, now)


def _notice(alarm: Alarm, event: Event, now: datetime) -> Notice:
    return Notice(event, _audience(alarm), urgent(alarm.kind, alarm.severity, alarm.ends_at, now))


def _audience(alarm: Alarm) -> Audience:
    if alarm.owner_id is None:
        return Audience.ADMINISTRATORS
    return Audience.OWNER if alarm.escalated_at is None else Audience.EVERYBODY
