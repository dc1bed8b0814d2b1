"""SQL of the messages that tell of alarms: which are due, what they say, and how each attempt went."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.alarms.domain import Attempt, Message
from keyturn.db.columns import first_of, last_of
from keyturn.db.tables import alarm_attempts as attempts
from keyturn.db.tables import alarm_messages as messages
from keyturn.db.tables import alarm_notices as notices
from keyturn.db.tables import alarms
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass

CLAIM = timedelta(minutes=5)
"""When a message is sent again whose attempt never came to its end: longer than any attempt takes."""
LONGEST_WAIT = timedelta(days=2)
"""A message waits for its hour of the day, or for its next attempt: what lies further ahead was written by a wrong clock."""
ALARM, DIGEST, TEST = "alarm", "digest", "test"
"""Kinds of messages: what is told at once, the daily message, and what the test button sends."""


@dataclass(frozen=True)
class Told:
    """What is told of one alarm in a message: the event, and the alarm as it was known then."""

    event: str
    content: Mapping[str, Any]


# --- writing ----------------------------------------------------------------------------------------------------------


def add(tx: Tx, message: Message, dedup_key: str) -> bool:
    """Add a message, unless one with this key is there; say whether it was added."""
    return tx.add_new(
        messages,
        id=message.id,
        org_id=message.org_id,
        channel_id=message.channel_id,
        receiver=message.receiver,
        dedup_key=dedup_key,
        kind=message.kind,
        created_at=message.created_at,
        due_at=message.due_at,
    )


@dataclass(frozen=True)
class Daily:
    """Of the daily messages of one receiver: the one that something may still be added to, and when the last one was sent."""

    waiting: str | None = None
    last_at: datetime | None = None


_NOT_BEGUN = sa.and_(messages.c.begun_at.is_(None), messages.c.due_at.is_not(None))
_DAILY = sa.select(messages.c.channel_id, messages.c.receiver).where(
    messages.c.org_id == sa.bindparam("org"), messages.c.kind == DIGEST
)
_WAITING = _DAILY.add_columns(messages.c.id).where(_NOT_BEGUN).with_for_update()
_LAST = (
    _DAILY.add_columns(sa.func.max(messages.c.begun_at).label("last_at"))
    .where(messages.c.begun_at > sa.bindparam("since"))
    .group_by(messages.c.channel_id, messages.c.receiver)
)
_OF_IDS_NOT_BEGUN = sa.and_(messages.c.id.in_(sa.bindparam("ids", expanding=True)), _NOT_BEGUN)
_ADDED_TO = sa.select(messages.c.id).where(_OF_IDS_NOT_BEGUN).with_for_update()
_RELEASE = sa.update(messages).where(_OF_IDS_NOT_BEGUN)


def daily(tx: Tx, org_id: str, since: datetime) -> dict[tuple[str, str], Daily]:
    """Return the daily messages by channel and receiver; nobody begins to send those that wait until this transaction ends.

    ``since`` is how far back those are of interest that were sent.
    """
    last = {_place(row): row["last_at"] for row in tx.rows(_LAST, org=org_id, since=since)}
    waits = {_place(row): row["id"] for row in tx.rows(_WAITING, org=org_id)}
    return {place: Daily(waits.get(place), last.get(place)) for place in {*last, *waits}}


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["channel_id"], row["receiver"]


def not_begun(tx: Tx, message_ids: Sequence[str]) -> set[str]:
    """Return those of the messages that something may still be added to; nobody begins to send them meanwhile."""
    return {row["id"] for row in tx.rows(_ADDED_TO, ids=list(message_ids))} if message_ids else set()


def release(tx: Tx, message_ids: Sequence[str], now: datetime) -> None:
    """Have messages sent at once that were held back until all that they tell was written down."""
    if message_ids:
        tx.run(_RELEASE.values(due_at=sa.bindparam("at", now, messages.c.due_at.type)), ids=list(message_ids))


@dataclass(frozen=True)
class NewNotice:
    """That a message tells of an alarm."""

    id: str
    message_id: str
    alarm_id: str
    told: Told


def add_notices(tx: Tx, new: Sequence[NewNotice], now: datetime) -> None:
    """Add what messages tell, all at once: when a provider is away there are thousands."""
    rows = [
        {
            "id": each.id,
            "message_id": each.message_id,
            "alarm_id": each.alarm_id,
            "event": each.told.event,
            "content": dict(each.told.content),
            "created_at": now,
        }
        for each in new
    ]
    tx.run_all(sa.insert(notices), rows)


def told_of_open_alarms(tx: Tx, org_id: str) -> set[tuple[str, str, str]]:
    """Return who was told, or will be by a message that waits, of alarms that go on: alarm, channel and receiver.

    Whose messages were all given up was told nothing.
    """
    return {(row["alarm_id"], row["channel_id"], row["receiver"]) for row in tx.rows(_TOLD, org=org_id)}


_TOLD = (
    sa.select(notices.c.alarm_id, messages.c.channel_id, messages.c.receiver)
    .join_from(notices, messages, messages.c.id == notices.c.message_id)
    .join(alarms, alarms.c.id == notices.c.alarm_id)
    .where(alarms.c.org_id == sa.bindparam("org"), alarms.c.resolved_at.is_(None), messages.c.given_up_at.is_(None))
    .distinct()
)


# --- sending ----------------------------------------------------------------------------------------------------------

_ANY = sa.select(
    sa.or_(
        first_of(messages.c.due_at) <= sa.bindparam("now"), last_of(messages.c.due_at) > sa.bindparam("never")
    ).label("due")
)
_CLAIM = (
    sa.select(messages.c.id, messages.c.channel_id)
    .where(sa.or_(messages.c.due_at <= sa.bindparam("now"), messages.c.due_at > sa.bindparam("never")))
    .order_by(messages.c.due_at, messages.c.id)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)
_OF_IDS = sa.update(messages).where(messages.c.id.in_(sa.bindparam("ids", expanding=True)))


def any_due(tx: Tx, now: datetime) -> bool:
    """Whether something is due. Looks at both ends of an index."""
    row = tx.one(_ANY, now=now, never=now + LONGEST_WAIT)
    return bool(row and row["due"])


def claim(tx: Tx, now: datetime, limit: int, until: datetime) -> list[tuple[str, str]]:
    """Move what is longest due to ``until``; return ids of messages and channels. No other transaction gets the same.

    From then on nothing is added to them: each attempt sends the same.
    """
    rows = tx.rows(_CLAIM, now=now, never=now + LONGEST_WAIT, most=limit)
    ids = [row["id"] for row in rows]
    if ids:
        begun = sa.func.coalesce(messages.c.begun_at, sa.bindparam("at", now, messages.c.begun_at.type))
        tx.run(_OF_IDS.values(begun_at=begun, due_at=sa.bindparam("until", until, messages.c.due_at.type)), ids=ids)
    return [(row["id"], row["channel_id"]) for row in rows]


def put_off(tx: Tx, message_ids: Sequence[str], until: datetime) -> None:
    """Make due again at this moment what was claimed and is not sent."""
    tx.run(
        _OF_IDS.where(messages.c.due_at.is_not(None)).values(due_at=sa.bindparam("until")),
        ids=list(message_ids),
        until=until,
    )


def try_again(tx: Tx, channel_id: str, now: datetime) -> None:
    """Make due now what was tried through this channel and waits, but what may be under way: that is due again soon."""
    waits = sa.and_(messages.c.channel_id == channel_id, messages.c.tries > 0, messages.c.due_at > now + CLAIM)
    tx.run(sa.update(messages).where(waits), due_at=now)


def get(tx: Tx, message_id: str) -> Message | None:
    row = tx.one(sa.select(messages).where(messages.c.id == message_id))
    return _message(row) if row else None


def told_in(tx: Tx, message_id: str) -> list[Told]:
    """Return what a message tells, in the order in which it was decided."""
    query = sa.select(notices.c.event, notices.c.content).where(notices.c.message_id == message_id)
    return [Told(row["event"], row["content"]) for row in tx.rows(query.order_by(notices.c.created_at, notices.c.id))]


def note_attempt(
    tx: Tx, attempt_id: str, message: Message, attempt: Attempt, next_at: datetime | None, *, more: bool = False
) -> None:
    """Write down how it went. ``next_at`` is when what was not taken is sent again; None: it is given up.

    ``more``: a part was taken, and the next one is due. Of an attempt that was overtaken by another only its outcome is kept.
    """
    tx.run(
        sa.insert(attempts),
        id=attempt_id,
        message_id=message.id,
        at=attempt.at,
        ok=attempt.ok,
        outcome=attempt.outcome,
    )
    as_it_was = sa.and_(messages.c.id == message.id, messages.c.parts_taken == message.parts_taken)
    if attempt.ok and more:
        changes = {"due_at": attempt.at, "tries": 0, "parts_taken": message.parts_taken + 1}
    else:
        ended = {"sent_at": attempt.at} if attempt.ok else {} if next_at else {"given_up_at": attempt.at}
        changes = {"due_at": None if attempt.ok else next_at, "tries": messages.c.tries + 1, **ended}
    tx.run(sa.update(messages).where(as_it_was).values(**changes))


# --- what was told ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Delivery:
    """A message about an alarm, with the attempts to bring it to its receiver."""

    message: Message
    event: str
    attempts: Sequence[Attempt]


def of_alarm(tx: Tx, alarm_id: str) -> list[Delivery]:
    """Return the messages that tell of an alarm, the newest first, with each attempt: two statements."""
    query = sa.select(messages, notices.c.event).join(notices, notices.c.message_id == messages.c.id)
    rows = tx.rows(query.where(notices.c.alarm_id == alarm_id).order_by(messages.c.created_at.desc(), messages.c.id))
    tried = _attempts(tx, [row["id"] for row in rows])
    return [Delivery(_message(row), row["event"], tried.get(row["id"], ())) for row in rows]


def of_channel(tx: Tx, channel_id: str, limit: int) -> list[Delivery]:
    """Return the newest messages of a channel, with each attempt: two statements."""
    query = sa.select(messages).where(messages.c.channel_id == channel_id)
    rows = tx.rows(query.order_by(messages.c.created_at.desc(), messages.c.id).limit(limit))
    tried = _attempts(tx, [row["id"] for row in rows])
    return [Delivery(_message(row), row["kind"], tried.get(row["id"], ())) for row in rows]


def remove_ended(tx: Tx, org_id: str, before: datetime, most: int) -> int:
    """Remove messages from before this that were sent or given up: so many at most, the others the next time."""
    ended = sa.select(messages.c.id).where(
        messages.c.org_id == org_id, messages.c.created_at < before, messages.c.due_at.is_(None)
    )
    return tx.run(sa.delete(messages).where(messages.c.id.in_(ended.limit(most))))


def _attempts(tx: Tx, message_ids: Sequence[str]) -> dict[str, list[Attempt]]:
    tried: dict[str, list[Attempt]] = {}
    query = sa.select(attempts).where(attempts.c.message_id.in_(message_ids))
    for row in tx.rows(query.order_by(attempts.c.at, attempts.c.id)) if message_ids else ():
        tried.setdefault(row["message_id"], []).append(Attempt(row["at"], row["ok"], row["outcome"]))
    return tried


def _message(row: Mapping[str, Any]) -> Message:
    return Message(
        row["id"],
        row["org_id"],
        row["channel_id"],
        row["receiver"],
        row["kind"],
        row["created_at"],
        row["due_at"],
        row["sent_at"],
        row["given_up_at"],
        row["tries"],
        row["parts_taken"],
    )
