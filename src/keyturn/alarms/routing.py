"""Which channel tells whom of an alarm, and when. Pure."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from email.utils import parseaddr

from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Alarm, Audience, Channel, Event, Notice
from keyturn.kit import zones
from keyturn.kit.clock import iso, iso_or_none
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import in_zone, shift, utc_of

_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.NOTICE: 2}
TO, OWNERS = "to", "owners"
"""In the config of channels that reach persons: the addresses of administrators, and whether owners are told."""
_LONGEST_IN_KEY = 100
"""Characters of a receiver in a key: what is longer stands there as its digest."""
LONGEST_DAY = timedelta(hours=25)
"""A day has an hour more when clocks are set back: nobody waits for a daily message longer than that."""


@dataclass(frozen=True)
class Persons:
    """E-mail addresses of those who answer for an alarm: its owner, and administrators of its project or of the organization."""

    owner: str | None = None
    administrators: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stop:
    """One receiver of a message. ``receiver`` is empty where a channel has only one."""

    channel: Channel
    receiver: str


def stops(channels: Sequence[Channel], alarm: Alarm, notice: Notice, persons: Persons) -> Iterator[Stop]:
    """Yield who is told. A channel that reaches one place tells it everything, one that reaches persons those concerned."""
    for channel in channels:
        if tells(channel, alarm):
            for receiver in receivers(channel, notice.audience, persons):
                yield Stop(channel, receiver)


def tells(channel: Channel, alarm: Alarm) -> bool:
    """Say whether alarms like this one go through the channel. What has an end is severe enough: it only gets worse."""
    if not channel.enabled or channel.project_id not in {None, alarm.place.project_id}:
        return False
    return alarm.ends_at is not None or _RANK[alarm.severity] <= _RANK[channel.least]


def receivers(channel: Channel, audience: Audience, persons: Persons) -> Sequence[str]:
    """Return the addresses of a channel for persons, each once; one empty one for a channel to a place."""
    if channel.kind != "email":
        return ("",)
    fixed = channel.config.get(TO)
    administrators = tuple(str(each) for each in fixed) if isinstance(fixed, list) and fixed else persons.administrators
    owner = persons.owner if channel.config.get(OWNERS, True) else None
    chosen = {
        Audience.OWNER: (owner,) if owner else administrators,
        Audience.ADMINISTRATORS: administrators,
        Audience.EVERYBODY: (owner, *administrators),
    }[audience]
    return tuple(dict.fromkeys(each.lower() for each in chosen if each))


def address_in(contact: str | None) -> str | None:
    """Return the e-mail address that a contact is, if it is one."""
    address = parseaddr(contact or "")[1]
    return address if address.count("@") == 1 and " " not in address and not address.startswith("@") else None


# --- when -------------------------------------------------------------------------------------------------------------


def key_at_once(alarm: Alarm, event: Event, stop: Stop) -> str:
    """Name what is told at once: the same event of an alarm never goes to the same receiver twice.

    The steps towards another end are others: the alarm goes on where what ended was replaced by what ends soon, too.
    """
    if event is Event.REMINDER:
        when: str | None = iso(alarm.reminded_at)
    elif event is Event.WORSE:
        when = utc_of(alarm.reminded_at).date().isoformat()
    else:
        when = iso_or_none(alarm.ends_at)
    told = ":".join(str(part) for part in (alarm.id, event.value, alarm.step, when) if part is not None)
    return f"{told}:{_named(stop)}"


def key_of_newcomer(alarm: Alarm, stop: Stop, now: datetime) -> str:
    """Name what is told to somebody who was never told of the alarm before, or by messages that did not arrive alone."""
    return f"{alarm.id}:new:{iso(now)}:{_named(stop)}"


def key_of_day(at: datetime, stop: Stop) -> str:
    """Name the daily message of a receiver that is sent at this moment."""
    return f"digest:{iso(at)}:{_named(stop)}"


def _named(stop: Stop) -> str:
    receiver = stop.receiver
    if len(receiver) > _LONGEST_IN_KEY:
        receiver = hashlib.sha256(receiver.encode()).hexdigest()
    return f"{stop.channel.id}:{receiver}"


def digest_at(channel: Channel, now: datetime, last: datetime | None = None) -> datetime:
    """Return when the next daily message is sent to a receiver whose last one was sent at ``last``, if there was one.

    At the hour of the channel, on another day than the last one, by the clocks of its place. Where place or hour were changed
    since, that hour may be two days after the last one: then it is sent 25 hours after it, and so comes nearer to its hour.
    """
    zone = zones.display_zone(channel.time_zone)
    before = last if last is not None and last <= now else None  # what lies ahead was written by a clock that was wrong
    # Along the calendar, not by 24 hours: at the same hour on the day of another offset, too.
    today = in_zone(now, zone).replace(hour=channel.digest_hour, minute=0, second=0, microsecond=0, tzinfo=None)
    moments = [utc_of((today + timedelta(days=days)).replace(tzinfo=zone)) for days in range(3)]
    moments += [shift(before, LONGEST_DAY)] if before else []
    return min(at for at in moments if at > now and not _on_one_day(at, before, zone))


def _on_one_day(at: datetime, before: datetime | None, zone: tzinfo) -> bool:
    return before is not None and in_zone(at, zone).date() == in_zone(before, zone).date()
