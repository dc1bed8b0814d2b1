"""Puts what is to be told into messages, within one transaction of the caller. Safe to repeat: each has a key of its own."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from keyturn.alarms import message_store, routing
from keyturn.alarms.domain import Alarm, Channel, Message, Notice
from keyturn.alarms.message_store import Daily, NewNotice, Told
from keyturn.alarms.routing import Persons, Stop
from keyturn.db.unit import Tx
from keyturn.kit.clock import iso
from keyturn.kit.dataclasses import dataclass
from keyturn.ownership.domain import Owner
from keyturn.ports.clock import Ids

HELD = timedelta(minutes=10)
"""When a message is sent that tells at once of a look which never came to its end."""


@dataclass(frozen=True)
class Receivers:
    """Whom an organization tells. ``administrators`` are addresses by project, and (None) those of the organization.

    ``told`` are the alarms that receivers were told of before: ids of alarm and channel, and the receiver.
    """

    channels: Sequence[Channel]
    administrators: Mapping[str | None, Sequence[str]]
    told: Collection[tuple[str, str, str]] = ()

    def stops(self, alarm: Alarm, notice: Notice, owner: Owner) -> Iterator[Stop]:
        """Yield who is concerned."""
        return routing.stops(self.channels, alarm, notice, self._persons(alarm, owner))

    def newcomers(self, alarm: Alarm, notice: Notice, owner: Owner) -> list[Stop]:
        """Return who is concerned now and was never told: of a new channel, or who answers for it since then."""
        stops = self.stops(alarm, notice, owner)
        return [stop for stop in stops if (alarm.id, stop.channel.id, stop.receiver) not in self.told]

    def _persons(self, alarm: Alarm, owner: Owner) -> Persons:
        address = routing.address_in(owner.contact) or (None if owner.left else owner.email or None)
        of_project = self.administrators.get(alarm.place.project_id) or self.administrators.get(None) or ()
        return Persons(address if alarm.owner_id else None, tuple(of_project))


@dataclass(frozen=True)
class Queue:
    """Writes messages of one look, all of the moment ``now`` of our own clock, by which they are sent.

    What one receiver is told at once of one look is one message: when a tenant is away, nobody gets a thousand. ``begun`` are
    those of the look so far, by channel and receiver, which are held back until it is at its end. ``daily`` are the daily
    messages by channel and receiver.
    """

    ids: Ids
    receivers: Receivers
    now: datetime
    begun: dict[tuple[str, str], str]
    daily: dict[tuple[str, str], Daily]
    notices: list[NewNotice] = field(default_factory=list)
    """What they tell, which :meth:`write` writes down."""

    def tell(self, tx: Tx, alarm: Alarm, notice: Notice, owner: Owner) -> None:
        """Tell all who are concerned, at once or in their next daily message."""
        for stop in self.receivers.stops(alarm, notice, owner):
            self._put(tx, alarm, notice, stop, routing.key_at_once(alarm, notice.event, stop))

    def tell_newcomers(self, tx: Tx, alarm: Alarm, notice: Notice, owner: Owner) -> None:
        """Tell those who are concerned now and were never told of it."""
        for stop in self.receivers.newcomers(alarm, notice, owner):
            self._put(tx, alarm, notice, stop, routing.key_of_newcomer(alarm, stop, self.now))

    def write(self, tx: Tx) -> None:
        """Write down what the messages tell: once, at the end of the transaction in which they were begun."""
        message_store.add_notices(tx, self.notices, self.now)

    def _put(self, tx: Tx, alarm: Alarm, notice: Notice, stop: Stop, key: str) -> None:
        """Put it into a message at once, of this key, or into the receiver's next daily one."""
        told = Told(notice.event.value, content_of(alarm))
        message_id = None if notice.urgent else self._daily(tx, alarm, stop)
        message_id = message_id or self._at_once(tx, alarm, stop, key)
        if message_id is not None:
            self.notices.append(NewNotice(self.ids.new(), message_id, alarm.id, told))

    def _at_once(self, tx: Tx, alarm: Alarm, stop: Stop, key: str) -> str | None:
        """Return the message of this look to the receiver; None where one of this key was sent already."""
        place = (stop.channel.id, stop.receiver)
        if place not in self.begun:
            message_id = self._add(tx, alarm, stop, message_store.ALARM, self.now + HELD, key)
            if message_id is None:
                return None
            self.begun[place] = message_id
        return self.begun[place]

    def _daily(self, tx: Tx, alarm: Alarm, stop: Stop) -> str | None:
        """Return the receiver's next daily message; None where a clock that was ahead has sent it: it is told at once."""
        place = (stop.channel.id, stop.receiver)
        known = self.daily.get(place, Daily())
        if known.waiting is None:
            at = routing.digest_at(stop.channel, self.now, known.last_at)
            message_id = self._add(tx, alarm, stop, message_store.DIGEST, at, routing.key_of_day(at, stop))
            known = self.daily[place] = Daily(message_id, known.last_at)
        return known.waiting

    def _add(self, tx: Tx, alarm: Alarm, stop: Stop, kind: str, due_at: datetime, key: str) -> str | None:
        """Add a message; return its id, or None where one of this key is there."""
        message_id = self.ids.new()
        message = Message(
            message_id, alarm.org_id, stop.channel.id, stop.receiver, kind, self.now, due_at, None, None, 0
        )
        return message_id if message_store.add(tx, message, key) else None


def content_of(alarm: Alarm) -> dict[str, object]:
    """Return what is told of an alarm: names, ids and sentences, never a value of a secret."""
    return {
        "alarmId": alarm.id,
        "kind": alarm.kind,
        "severity": alarm.severity.value,
        "subjectKind": alarm.subject_kind,
        "subjectId": alarm.subject_id,
        "subject": alarm.subject,
        "projectId": alarm.place.project_id,
        "cause": alarm.cause,
        "fix": alarm.fix,
        "path": alarm.path,
        "contact": alarm.contact,
        "since": alarm.since and iso(alarm.since),
        "endsAt": alarm.ends_at and iso(alarm.ends_at),
        "openedAt": iso(alarm.opened_at),
    }
