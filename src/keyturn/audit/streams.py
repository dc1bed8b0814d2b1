"""Sends all audit events to the receivers that the settings name, as a source of work: at least once, in the order of each chain.

Events are sent, and then it is written down how far: whoever is killed between the two sends them again. The chain says what
is new, so an event that was committed late is not missed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from keyturn.audit import stream_store as store
from keyturn.audit.domain import StreamState
from keyturn.audit.receivers import NotTaken, Receiver
from keyturn.db.unit import Database, Tx
from keyturn.engine.sources import Source
from keyturn.ports.clock import Clock
from keyturn.ports.work import Work

CLAIM = timedelta(minutes=2)
"""When a round is begun again that never came to its end."""
AT_ONCE = 200
PARTS = 100
"""So many parts are one round: others need the thread, too."""
LONGEST_PAUSE = timedelta(minutes=5)
LONGEST_REASON = 300
_PARTITION = "audit-stream:"
_log = structlog.get_logger("keyturn.audit")


def failing(tx: Tx, now: datetime) -> Sequence[StreamState]:
    """Return the receivers that are tried, and take no events. How many they have not got is not counted."""
    return store.failing(tx, now)


class DueStreams(Source):
    """A round for each receiver that has not got all events."""

    kind = "audit-stream"

    def __init__(self, database: Database, clock: Clock, receivers: Sequence[Receiver]) -> None:
        self._database = database
        self._clock = clock
        self._receivers = {receiver.id: receiver for receiver in receivers}

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return any(store.is_due(tx, stream, now) for stream in self._receivers)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        due = [stream for stream in self._receivers if store.is_due(tx, stream, now)][:limit]
        for stream in due:
            store.set_wake(tx, stream, now + CLAIM)
        return [Work(self.kind, stream, f"{_PARTITION}{stream}") for stream in due]

    def do(self, work_id: str) -> None:
        receiver = self._receivers.get(work_id)
        if receiver is None:
            return
        try:
            self._send(receiver)
        except NotTaken as error:
            self._note_failure(work_id, str(error)[:LONGEST_REASON])
        else:
            with self._database.write() as tx:
                changes = {"wake_at": None, "failing_since": None, "failures": 0, "reason": None}
                store.note(tx, work_id, sent_at=self._clock.now(), **changes)

    def _send(self, receiver: Receiver) -> None:
        parts = 0
        with self._database.read() as tx:
            chains = store.behind(tx, receiver.id)
        for chain, taken in chains:
            position = taken
            while parts < PARTS:
                with self._database.read() as tx:
                    events = store.after(tx, chain, position, AT_ONCE)
                if not events:
                    break
                receiver.send(events, self._clock.now())
                position, parts = events[-1].position, parts + 1
                with self._database.write() as tx:
                    store.advance(tx, receiver.id, chain, position)

    def _note_failure(self, stream: str, reason: str) -> None:
        now = self._clock.now()
        with self._database.write() as tx:
            before = store.state(tx, stream)
            failures = before.failures + 1
            pause = min(timedelta(seconds=2 ** min(failures, 10)), LONGEST_PAUSE)
            since = before.failing_since or now
            store.note(tx, stream, wake_at=now + pause, failing_since=since, failures=failures, reason=reason)
        if failures == 1:
            _log.warning("audit events are not taken", receiver=stream, reason=reason)
