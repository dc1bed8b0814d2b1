"""Sends all audit events to the receivers that the settings name, as a source of work: at least once, in the order of each chain.

Events are sent, and then it is written down how far: whoever is killed between the two sends them again. The chain says what
is new, so an event that was committed late is not missed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from keyturn.audit import chain_events
from keyturn.audit import stream_store as store
from keyturn.audit.domain import StreamState, Subject, SubjectKind
from keyturn.audit.linking import key_of
from keyturn.audit.receivers import NotTaken, Receiver
from keyturn.audit.record import record
from keyturn.audit.stream_store import Place
from keyturn.crypto.audit_keys import ChainKey
from keyturn.db.unit import Database, Tx
from keyturn.engine.sources import Source
from keyturn.kit.actor import platform
from keyturn.ports.clock import Clock
from keyturn.ports.work import Work

CLAIM = timedelta(minutes=2)
"""When a round is begun again that never came to its end."""
AT_ONCE = 200
SHOWN = timedelta(minutes=1)
"""For so long it is a failure that positions were changed in the database, before events are sent once more."""
PARTS = 100
"""So many parts are one round: others need the thread, too."""
LONGEST_REASON = 300
_PARTITION = "audit-stream:"
_log = structlog.get_logger("keyturn.audit")


def states(tx: Tx, key: ChainKey, streams: Sequence[str]) -> list[StreamState]:
    """Return how it goes with these receivers, for the operator."""
    return [store.state(tx, key, stream) for stream in streams]


def failing(tx: Tx, now: datetime) -> Sequence[StreamState]:
    """Return the receivers that are tried, and take no events. How many they have not got is not counted."""
    return store.failing(tx, now)


class _PositionsChanged(NotTaken):
    """Somebody wrote into the database how far the receiver is."""


class DueStreams(Source):
    """A round for each receiver that has not got all events."""

    kind = "audit-stream"

    def __init__(self, database: Database, clock: Clock, receivers: Sequence[Receiver]) -> None:
        self._database = database
        self._clock = clock
        self._receivers = {receiver.id: receiver for receiver in receivers}

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return any(store.is_due(tx, key_of(self._database), stream, now) for stream in self._receivers)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        key = key_of(self._database)
        due = [stream for stream in self._receivers if store.is_due(tx, key, stream, now)][:limit]
        for stream in due:
            store.set_wake(tx, stream, now + CLAIM)
        return [Work(self.kind, stream, f"{_PARTITION}{stream}") for stream in due]

    def do(self, work_id: str) -> None:
        receiver = self._receivers.get(work_id)
        if receiver is None:
            return
        try:
            self._send(receiver)
        except _PositionsChanged as error:
            self._note_failure(work_id, str(error), least=SHOWN)
        except NotTaken as error:
            self._note_failure(work_id, str(error)[:LONGEST_REASON])
        else:
            with self._database.write() as tx:
                changes = {"wake_at": None, "failing_since": None, "failures": 0, "reason": None}
                store.note(tx, work_id, sent_at=self._clock.now(), **changes)

    def _send(self, receiver: Receiver) -> None:
        parts, key = 0, key_of(self._database)
        with self._database.read() as tx:
            places = store.places(tx, key, receiver.id)
        if any(place.changed for place in places):
            self._begin_again(receiver.id, [place for place in places if place.changed])
        for place in places:
            position = place.taken
            while parts < PARTS and position < place.head:
                with self._database.read() as tx:
                    events = store.after(tx, place.chain, position, AT_ONCE)
                if not events:
                    break
                receiver.send(events, self._clock.now())
                position, parts = events[-1].position, parts + 1
                with self._database.write() as tx:
                    store.set_position(tx, key, receiver.id, place.chain, position)

    def _begin_again(self, stream: str, changed: Sequence[Place]) -> None:
        """Tell of places that were not written here, and let the next round send what may not have been taken of those chains."""
        now, key = self._clock.now(), key_of(self._database)
        with self._database.write() as tx:
            for place in changed:
                store.set_position(tx, key, stream, place.chain, place.taken)
                about = Subject(SubjectKind.ORGANIZATION, place.chain)
                record(tx, platform(place.chain), chain_events.STREAM_CHANGED, about, now, receiver=stream)
        _log.error("positions of a receiver of audit events were changed in the database", receiver=stream)
        raise _PositionsChanged(store.CHANGED)

    def _note_failure(self, stream: str, reason: str, least: timedelta = timedelta(0)) -> None:
        now = self._clock.now()
        with self._database.write() as tx:
            before = store.state(tx, key_of(self._database), stream)
            failures = before.failures + 1
            pause = min(max(timedelta(seconds=2 ** min(failures, 10)), least), store.LONGEST_PAUSE)
            since = before.failing_since or now
            store.note(tx, stream, wake_at=now + pause, failing_since=since, failures=failures, reason=reason)
        if failures == 1:
            _log.warning("audit events are not taken", receiver=stream, reason=reason)
