"""Looks at each organization every minute: which alarms open, go on and end, and who is to be told."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from keyturn.alarms import channel_store, message_store, people_store, store
from keyturn.alarms.conditions.domain import Condition
from keyturn.alarms.decision import Decision, decide, first_notice
from keyturn.alarms.domain import Alarm, Notice
from keyturn.alarms.queue import Queue
from keyturn.db.unit import Database, Tx
from keyturn.engine.sources import Source
from keyturn.kit.clock_difference import is_right, provider_time
from keyturn.kit.moments import shift
from keyturn.ownership import store as owners
from keyturn.ownership.domain import NOBODY, Owner
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.work import Work

EVERY = timedelta(minutes=1)
_SHARE = 30
"""A look that takes a second is made every half a minute at most: it has a thirtieth of one processor."""
CLAIM = timedelta(minutes=10)
"""When an organization is looked at again whose look never came to its end."""
KEPT = timedelta(days=400)
"""How long resolved alarms are kept, and messages."""

FindConditions = Callable[[str, datetime], Sequence[Condition]]
"""Returns the conditions of an organization. Outside transactions."""


@dataclass(frozen=True)
class Evaluation:
    """Looks at one organization. ``ahead`` says how far our clock is ahead of the provider's, where that is known."""

    database: Database
    clock: Clock
    ids: Ids
    find: FindConditions
    ahead: Callable[[], timedelta | None] = lambda: None

    def run(self, org_id: str) -> int:
        """Look at the organization; return how many alarms opened. Safe to repeat: what was told is not told again.

        A look that took longer than its claim says nothing where another process has begun one meanwhile.
        """
        began, now = time.monotonic(), self._now()
        with self.database.read() as tx:
            claimed_until = store.due_at(tx, org_id)
        conditions = {condition.key: condition for condition in self.find(org_id, now)}
        with self.database.write() as tx:
            store.alone(tx, org_id)
            if store.due_at(tx, org_id) != claimed_until:
                return 0
            opened = self._compare(tx, org_id, conditions, now)
            store.note_evaluation(tx, org_id, now)
            pause = max(EVERY, timedelta(seconds=_SHARE * (time.monotonic() - began)))
            store.put_off(tx, org_id, self.clock.now() + min(pause, CLAIM))
        return opened

    def _now(self) -> datetime:
        """Return what time it is: by the provider's clock where ours is known to be wrong, so that nothing ends too early."""
        ahead, now = self.ahead(), self.clock.now()
        return now if is_right(ahead) else provider_time(now, ahead)

    def _compare(self, tx: Tx, org_id: str, conditions: dict[str, Condition], now: datetime) -> int:
        rules, before = store.rules_of(tx, org_id), store.open_alarms(tx, org_id)
        named = owners.of(tx, sorted({each.subject.id for each in conditions.values()} | _subjects(before)))
        queue = self._queue(tx, org_id)
        opened = 0
        for key in {**before, **conditions}:
            alarm, condition = before.get(key), conditions.get(key)
            owner = named.get(condition.subject.id if condition else alarm.subject_id if alarm else "", NOBODY)
            decision = decide(alarm, condition, now, rules, self.ids.new(), owner)
            if decision.alarm is None or not _kept(tx, alarm, decision):
                continue
            opened += alarm is None
            _tell(tx, queue, decision.alarm, decision.notices, owner, now)
        queue.write(tx, now)
        message_store.remove_ended(tx, org_id, shift(now, -KEPT))
        store.remove_resolved(tx, org_id, shift(now, -KEPT))
        return opened

    def _queue(self, tx: Tx, org_id: str) -> Queue:
        channels, administrators = channel_store.of_organization(tx, org_id), people_store.administrators(tx, org_id)
        return Queue(self.ids, channels, administrators, message_store.told_of_open_alarms(tx, org_id))


def _subjects(alarms: dict[str, Alarm]) -> set[str]:
    return {alarm.subject_id for alarm in alarms.values()}


def _kept(tx: Tx, before: Alarm | None, decision: Decision) -> bool:
    """Write down what was decided; False where another process opened the same alarm meanwhile, and tells of it."""
    alarm = decision.alarm
    if alarm is None:
        return False
    if before is None:
        return store.add(tx, alarm)
    if alarm != before:
        store.change(tx, alarm)
    return True


def _tell(tx: Tx, queue: Queue, alarm: Alarm, notices: Sequence[Notice], owner: Owner, now: datetime) -> None:
    """Tell what was decided; where nothing was, those who came since it was told."""
    for notice in notices:
        queue.tell(tx, alarm, notice, owner, now)
    if not notices and alarm.state == "open":
        queue.tell_newcomers(tx, alarm, first_notice(alarm, now), owner, now)


class Evaluations(Source):
    """Each organization, every minute."""

    kind = "alarms"

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return store.any_due(tx, now)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        return [Work(self.kind, org_id, f"alarms:{org_id}") for org_id in store.claim(tx, now, limit, now + CLAIM)]

    def do(self, work_id: str) -> None:
        self._evaluation.run(work_id)
