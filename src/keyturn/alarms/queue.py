"""Puts what is to be told into messages, within one transaction of the caller. Safe to repeat: each has a key of its own."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from keyturn.alarms import message_store, routing
from keyturn.alarms.domain import Alarm, Channel, Message, Notice
from keyturn.alarms.message_store import NewNotice, Told
from keyturn.alarms.routing import Persons, Stop
from keyturn.db.unit import Tx
from keyturn.kit.clock import iso
from keyturn.ownership.domain import Owner
from keyturn.ports.clock import Ids

ALARM, DIGEST, TEST = "alarm", "digest", "test"
"""Kinds of messages."""
_DAYS_AHEAD = 3


@dataclass(frozen=True)
class Queue:
    """Writes the messages of one look. ``administrators`` are addresses by project, and (None) those of the organization.

    ``told`` are the alarms that receivers were told of before: ids of alarm and channel, and the receiver.
    What one receiver is told at once of one look is one message: when a tenant is away, nobody gets a thousand.
    """

    ids: Ids
    channels: Sequence[Channel]
    administrators: Mapping[str | None, Sequence[str]]
    told: Collection[tuple[str, str, str]] = ()
    begun: dict[tuple[str, str], str] = field(default_factory=dict)
    """The messages of this look by channel and receiver."""
    notices: list[NewNotice] = field(default_factory=list)
    """What they tell, which :meth:`write` writes down."""

    def tell(self, tx: Tx, alarm: Alarm, notice: Notice, owner: Owner, now: datetime) -> None:
        """Tell all who are concerned, at once or in their next daily message."""
        for stop in self._stops(alarm, notice, owner):
            self._put(tx, alarm, notice, stop, routing.key_at_once(alarm, notice.event, stop), now)

    def tell_newcomers(self, tx: Tx, alarm: Alarm, notice: Notice, owner: Owner, now: datetime) -> None:
        """Tell those who are concerned now and were never told of it: of a new channel, or who answer for it since then."""
        for stop in self._stops(alarm, notice, owner):
            if (alarm.id, stop.channel.id, stop.receiver) not in self.told:
                self._put(tx, alarm, notice, stop, routing.key_of_newcomer(alarm, stop, now), now)

    def write(self, tx: Tx, now: datetime) -> None:
        """Write down what the messages of this look tell: once, at its end, in the same transaction."""
        message_store.add_notices(tx, self.notices, now)

    def _note(self, message_id: str, alarm: Alarm, told: Told) -> None:
        self.notices.append(NewNotice(self.ids.new(), message_id, alarm.id, told))

    def _stops(self, alarm: Alarm, notice: Notice, owner: Owner) -> Iterator[Stop]:
        return routing.stops(self.channels, alarm, notice, self._persons(alarm, owner))

    def _put(self, tx: Tx, alarm: Alarm, notice: Notice, stop: Stop, key: str, now: datetime) -> None:
        """Put it into a message at once, of this key, or into the receiver's next daily one."""
        told = Told(notice.event.value, content_of(alarm))
        if not notice.urgent and self._daily(tx, alarm, stop, told, now):
            return
        self._at_once(tx, alarm, stop, told, key, now)

    def _persons(self, alarm: Alarm, owner: Owner) -> Persons:
        address = routing.address_in(owner.contact) or (None if owner.left else owner.email or None)
        of_project = self.administrators.get(alarm.place.project_id) or self.administrators.get(None) or ()
        return Persons(address if alarm.owner_id else None, tuple(of_project))

    def _at_once(self, tx: Tx, alarm: Alarm, stop: Stop, told: Told, key: str, now: datetime) -> None:
        place = (stop.channel.id, stop.receiver)
        if place not in self.begun:
            message = self._message(alarm.org_id, stop, ALARM, now, now)
            if not message_store.add(tx, message, key):
                return
            self.begun[place] = message.id
        self._note(self.begun[place], alarm, told)

    def _daily(self, tx: Tx, alarm: Alarm, stop: Stop, told: Told, now: datetime) -> bool:
        """Add it to the receiver's next daily message that has not begun to be sent; say whether there was one.

        A clock that was ahead has sent those of the days to come: better it is told at once than not at all.
        """
        at = now
        for _ in range(_DAYS_AHEAD):
            day, at = routing.digest_at(stop.channel, at)
            key = routing.key_of_day(day, stop)
            message_store.add(tx, self._message(alarm.org_id, stop, DIGEST, now, at), key)
            message_id = message_store.waiting(tx, key)
            if message_id is not None:
                self._note(message_id, alarm, told)
                return True
        return False

    def _message(self, org_id: str, stop: Stop, kind: str, now: datetime, due_at: datetime) -> Message:
        return Message(self.ids.new(), org_id, stop.channel.id, stop.receiver, kind, now, due_at, None, None, 0)


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
