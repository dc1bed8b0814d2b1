"""Looks at each organization every minute: which alarms open, go on and end, and who is to be told."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from keyturn.alarms import channel_store, message_store, people_store, store
from keyturn.alarms.conditions.domain import Condition
from keyturn.alarms.decision import decide, first_notice
from keyturn.alarms.domain import Alarm, Notice
from keyturn.alarms.queue import Queue, Receivers
from keyturn.alarms.routing import LONGEST_DAY
from keyturn.db.unit import Database, Tx
from keyturn.engine.sources import Source
from keyturn.kit.batches import batches
from keyturn.kit.clock_difference import is_right, provider_time
from keyturn.kit.dataclasses import dataclass
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
AT_ONCE = 200
"""Alarms that are written in one transaction: there are thousands at once when a provider is away."""
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

        A look that took longer than its claim says nothing more where another process has begun one meanwhile. What there is
        to write down is found out first, and then written in parts, so that nobody waits long who writes something else. When
        the process dies in between, the next look goes on with the rest.
        """
        began, now = time.monotonic(), self._now()
        with self.database.read() as tx:
            claimed_until = store.due_at(tx, org_id)
        look = _Look(org_id, {condition.key: condition for condition in self.find(org_id, now)}, now)
        with self.database.read() as tx:
            told = message_store.told_of_open_alarms(tx, org_id)
            keys = self._to_write(tx, look, self._receivers(tx, org_id, told))
        opened, begun = 0, dict[tuple[str, str], str]()
        for part in batches(keys, AT_ONCE):
            with self.database.write() as tx:
                if not _goes_on(tx, org_id, claimed_until):
                    return opened
                opened += self._write(tx, look, part, self._queue(tx, org_id, told, begun))
        with self.database.write() as tx:
            if _goes_on(tx, org_id, claimed_until):
                message_store.release(tx, list(begun.values()), self.clock.now())
                self._end(tx, look, time.monotonic() - began)
        return opened

    def _now(self) -> datetime:
        """Return what time it is: by the provider's clock where ours is known to be wrong, so that nothing ends too early."""
        ahead, now = self.ahead(), self.clock.now()
        return now if is_right(ahead) else provider_time(now, ahead)

    def _to_write(self, tx: Tx, look: "_Look", receivers: Receivers) -> list[str]:
        """Return the keys of what changes, or is to be told to somebody. Mostly it is nothing."""
        changes = self._changes(tx, look, store.open_alarms(tx, look.org_id), look.conditions)
        return [each.key for each in changes if each.alarm != each.before or each.notices or each.newcomers(receivers)]

    def _write(self, tx: Tx, look: "_Look", keys: Sequence[str], queue: Queue) -> int:
        """Decide on these again, as nobody changes them meanwhile, and write it down. Returns how many alarms opened."""
        conditions = {key: look.conditions[key] for key in keys if key in look.conditions}
        changes = list(self._changes(tx, look, store.lock_open(tx, look.org_id, keys), conditions))
        opened = [each.alarm for each in changes if each.before is None]
        store.add_all(tx, opened)
        store.change_all(tx, [each.alarm for each in changes if each.before and each.alarm != each.before])
        for each in changes:
            for notice in each.notices:
                queue.tell(tx, each.alarm, notice, each.owner)
            if each.first_notice:
                queue.tell_newcomers(tx, each.alarm, each.first_notice, each.owner)
        queue.write(tx)
        return len(opened)

    def _changes(
        self, tx: Tx, look: "_Look", before: Mapping[str, Alarm], conditions: Mapping[str, Condition]
    ) -> Iterator["_Change"]:
        """Yield what becomes of these alarms and conditions."""
        rules = store.rules_of(tx, look.org_id)
        subjects = {condition.subject.id for condition in conditions.values()}
        named = owners.of(tx, sorted(subjects | {alarm.subject_id for alarm in before.values()}))
        for key in {**before, **conditions}:
            alarm, condition = before.get(key), conditions.get(key)
            owner = named.get(condition.subject.id if condition else alarm.subject_id if alarm else "", NOBODY)
            decision = decide(alarm, condition, look.now, rules, self.ids.new(), owner)
            if decision.alarm is not None:
                yield _Change(key, alarm, decision.alarm, decision.notices, owner, look.now)

    def _receivers(self, tx: Tx, org_id: str, told: Collection[tuple[str, str, str]]) -> Receivers:
        return Receivers(channel_store.of_organization(tx, org_id), people_store.administrators(tx, org_id), told)

    def _queue(
        self, tx: Tx, org_id: str, told: Collection[tuple[str, str, str]], begun: dict[tuple[str, str], str]
    ) -> Queue:
        """Return the queue of a part of the look. Where a message of an earlier part is being sent, another one is begun."""
        held = message_store.not_begun(tx, list(begun.values()))
        for place in [place for place, message_id in begun.items() if message_id not in held]:
            del begun[place]
        now = self.clock.now()
        daily = message_store.daily(tx, org_id, shift(now, -LONGEST_DAY))
        return Queue(self.ids, self._receivers(tx, org_id, told), now, begun, daily)

    def _end(self, tx: Tx, look: "_Look", took: float) -> None:
        """Write down that the look is at its end, and remove what is kept no longer."""
        message_store.remove_ended(tx, look.org_id, shift(look.now, -KEPT), AT_ONCE)
        store.remove_resolved(tx, look.org_id, shift(look.now, -KEPT), AT_ONCE)
        pause = max(EVERY, timedelta(seconds=_SHARE * took))
        store.note_evaluation(tx, look.org_id, look.now, self.clock.now() + min(pause, CLAIM))


def _goes_on(tx: Tx, org_id: str, claimed_until: datetime | None) -> bool:
    """Let nobody else write down a look until this transaction ends; False where another process has begun one meanwhile."""
    store.alone(tx, org_id)
    return store.due_at(tx, org_id) == claimed_until


@dataclass(frozen=True)
class _Look:
    """What was so in an organization at a moment, by the key of each condition."""

    org_id: str
    conditions: Mapping[str, Condition]
    now: datetime


@dataclass(frozen=True)
class _Change:
    """What becomes of an alarm: as it was, None for one that opens, as it is to be, and what is told of it."""

    key: str
    before: Alarm | None
    alarm: Alarm
    notices: Sequence[Notice]
    owner: Owner
    now: datetime

    @property
    def first_notice(self) -> Notice | None:
        """Return what those are told who came since it was told; None where all are told something, or nobody."""
        return None if self.notices or self.alarm.state != "open" else first_notice(self.alarm, self.now)

    def newcomers(self, receivers: Receivers) -> bool:
        return self.first_notice is not None and bool(receivers.newcomers(self.alarm, self.first_notice, self.owner))


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
