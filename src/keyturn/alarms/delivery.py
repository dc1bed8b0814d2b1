"""Brings messages to their receivers: at least once, under the same id each time, for days."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from keyturn.alarms import channel_store, message_store
from keyturn.alarms.channels.kind import ChannelKind, Undelivered
from keyturn.alarms.domain import Attempt, Channel, Message
from keyturn.alarms.notification import Notification, Part, next_part, notification
from keyturn.db.unit import Database, Tx
from keyturn.engine.payload import describe_error, whereabouts
from keyturn.engine.sources import BUSY, Source
from keyturn.errors import KeyturnError
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.redact import redact_text
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.ports.work import Work

_log = structlog.get_logger()

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
TRIES = 30
"""About a week: after a minute, two, four ... and then every six hours."""
_LONGEST = 300


def next_attempt(tries: int, now: datetime, jitter: float) -> datetime | None:
    """Return when a message is sent again that was tried so often; None when it is given up.

    Up to a quarter sooner than its turn, so that what failed together does not come back together.
    """
    if tries >= TRIES:
        return None
    doubled: timedelta = FIRST_WAIT * float(1 << min(tries - 1, 12))
    return now + min(doubled, LONGEST_WAIT) * (1 - jitter / 4)


@dataclass(frozen=True)
class Sender:
    """Sends through channels of any kind."""

    sealer: Sealer
    kinds: Mapping[str, ChannelKind]
    clock: Clock

    def is_for_programs(self, channel: Channel) -> bool:
        """Whether each alarm of a message is told through this channel, in as many parts as it takes."""
        kind = self.kinds.get(channel.kind)
        return kind is not None and kind.for_programs

    def send(self, channel: Channel, told: Notification) -> Attempt:
        """Send once, and return how it went. Outside transactions. Raises nothing that a channel could."""
        kind = self.kinds.get(channel.kind)
        if kind is None:
            return Attempt(self.clock.now(), False, f"This server has no channels of the kind '{channel.kind}'.")
        try:
            secret = self.sealer.open(channel.secret, channel_store.place(channel.id)) if channel.secret else None
            outcome = kind.send(channel.config, secret, told)
        except Undelivered as error:
            return Attempt(self.clock.now(), False, redact_text(str(error))[:_LONGEST], error.wait)
        except KeyturnError as error:
            return Attempt(self.clock.now(), False, redact_text(error.message)[:_LONGEST])
        except Exception as error:  # noqa: BLE001 - of a channel, not of the others: it is told on its page
            where = whereabouts(error)
            _log.error(
                "alarms.channel_broken", channel_id=channel.id, kind=channel.kind, **describe_error(error), at=where
            )
            return Attempt(self.clock.now(), False, f"It failed in a way that nobody foresaw: {type(error).__name__}.")
        return Attempt(self.clock.now(), True, outcome[:_LONGEST])


@dataclass(frozen=True)
class Delivery:
    """Sends one message of the journal, or its next part. ``site`` is the address of this server that links begin with."""

    database: Database
    sender: Sender
    clock: Clock
    ids: Ids
    site: str

    def run(self, message_id: str) -> None:
        """Send the message, or its next part, unless that was done, and write down how it went. Safe to repeat.

        A process that dies between the two sends it again, under the same id. Parts that were taken are not sent again.
        """
        with self.database.read() as tx:
            message = message_store.get(tx, message_id)
            channel = channel_store.get(tx, message.channel_id) if message else None
            told = message_store.told_in(tx, message_id)
        if message is None or channel is None or message.due_at is None:
            return
        part = next_part(message.parts_taken, len(told)) if self.sender.is_for_programs(channel) else Part()
        if not channel.enabled:
            attempt = Attempt(self.clock.now(), False, "The channel is switched off.")
        else:
            attempt = self.sender.send(channel, notification(message, told, self.site, part))
        with self.database.write() as tx:
            self._note(tx, message, channel, attempt, part)

    def _note(self, tx: Tx, message: Message, channel: Channel, attempt: Attempt, part: Part) -> None:
        if channel_store.get(tx, channel.id, lock=True) is None:
            return  # it was deleted meanwhile, with its messages
        again = next_attempt(message.tries + 1, attempt.at, self.ids.jitter())
        if again is not None and attempt.wait is not None:
            again = max(again, attempt.at + attempt.wait)
        if part.parts > 1:
            attempt = replace(attempt, outcome=f"Part {part.number} of {part.parts}: {attempt.outcome}")
        message_store.note_attempt(tx, self.ids.new(), message, attempt, again, more=part.number < part.parts)
        if attempt.ok:
            channel_store.note_success(tx, channel.id)
            return
        if channel.enabled:
            channel_store.note_failure(tx, channel.id, attempt.outcome, attempt.at)
        _log.warning("alarms.not_delivered", channel=channel.name, message_id=message.id, reason=attempt.outcome)


class DueMessages(Source):
    """What is to be sent now, one message of a channel at a time."""

    kind = "alarm-message"

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return message_store.any_due(tx, now)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        claimed = message_store.claim(tx, now, limit, now + message_store.CLAIM)
        return [Work(self.kind, message_id, f"alarm-channel:{channel_id}") for message_id, channel_id in claimed]

    def do(self, work_id: str) -> None:
        self._delivery.run(work_id)

    def put_back(self, tx: Tx, works: Sequence[Work], claimed_at: datetime, now: datetime) -> None:
        message_store.put_off(tx, [work.id for work in works], now + BUSY)
