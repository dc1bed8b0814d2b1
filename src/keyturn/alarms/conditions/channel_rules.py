"""Conditions of those who are to be told: a channel that fails, and nobody to be told at all. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from keyturn.alarms.conditions.domain import Condition, ConditionKind, ConditionSubject, Severity
from keyturn.audit.domain import SubjectKind
from keyturn.authz.permissions import Scope
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift

FAILS_FOR = timedelta(minutes=10)
"""What works again at the next try or two needs nobody."""
_PATH = "/alarms/channels"


@dataclass(frozen=True)
class ChannelState:
    """A channel that is switched on: since when its messages are not taken, and why."""

    id: str
    name: str
    project_id: str | None
    failing_since: datetime | None
    failure: str


def of_channels(org_id: str, channels: Sequence[ChannelState], now: datetime) -> Iterator[Condition]:
    """Yield which channels fail, and that nobody is told: there is no channel, or none of them works."""
    failing = [each for each in channels if each.failing_since and shift(each.failing_since, FAILS_FOR) <= now]
    for channel in failing:
        yield Condition(
            ConditionKind.CHANNEL_FAILING,
            f"{ConditionKind.CHANNEL_FAILING.value}:{SubjectKind.ALARM_CHANNEL.value}:{channel.id}",
            Severity.CRITICAL,
            ConditionSubject(SubjectKind.ALARM_CHANNEL, channel.id, channel.name),
            Scope(org_id),
            f"Alarms do not get through the channel '{channel.name}': {channel.failure}",
            "Repair it, and test it. What could not be told is sent again for a week.",
            _PATH,
            channel.failing_since,
        )
    if len(failing) == len(channels):
        cause = "all channels fail" if channels else "there is no channel that is switched on"
        yield Condition(
            ConditionKind.NOBODY_TOLD,
            f"{ConditionKind.NOBODY_TOLD.value}:{org_id}",
            Severity.CRITICAL if channels else Severity.NOTICE,
            ConditionSubject(SubjectKind.ORGANIZATION, org_id, "Alarms"),
            Scope(org_id),
            f"Nobody is told of alarms: {cause}.",
            "Repair a channel." if channels else "Set up a channel, such as e-mail, and test it.",
            _PATH,
        )
