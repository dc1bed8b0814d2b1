"""Keeps the audit of reads: the first of a minute before its answer, the others counted and written together.

One thread writes for all: what many readers wait for at the same moment shares one transaction, so one flush of the disk. When
that fails nobody gets the values that the events were about. A process that is killed loses the counts of the running minute,
never a first read.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import field, replace
from datetime import datetime, timedelta

import structlog

from keyturn.audit.record import record
from keyturn.db.trouble import explain
from keyturn.db.unit import Database, Tx
from keyturn.delivery.domain import Read
from keyturn.delivery.instances import Instances
from keyturn.errors import Unavailable
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock, Ids
from keyturn.secrets.read_audit import Consumer, ValuesRead, once

_log = structlog.get_logger("keyturn.delivery")

MOST_COUNTED = 20_000
"""Callers with versions that are counted at the same time; of more, counts are written before the minute is over."""
MOST_WAITING = 10_000
"""Reads that wait to be written; who comes then is asked to come again."""
_AT_ONCE = 500
"""Reads of one transaction: with thousands of programs that were woken together, others have to write in between."""
_LOOK_EVERY = 1.0

Note = Callable[[Tx, Sequence[Read]], None]
"""Keeps who has which version, in the transaction of the events."""


def note_nothing(_tx: Tx, _reads: Sequence[Read]) -> None:
    """Keep nothing besides the events."""


_Key = tuple[str | None, str, str | None]
"""Who read which versions: the id of the actor, the key of the read, the instance."""


@dataclass
class _Counted:
    """Reads of the same versions by the same caller in one minute, of which the first is written at once."""

    actor: Actor
    read: ValuesRead
    instance: str | None
    minute: datetime
    first: "Future[None]"
    part: int
    """What tells it from others of the same minute."""
    repeats: int = 0

    @property
    def facts(self) -> dict[str, object]:
        return {**self.read.facts, **({"instance": self.instance} if self.instance else {})}

    @property
    def once(self) -> str:
        key = f"{self.read.key}:{self.actor.id}"
        return once(f"{key}:{self.instance}" if self.instance else key, self.minute)


@dataclass(frozen=True)
class _Job:
    """What the thread is to write: a first event, or (None) nothing but who has which version."""

    key: _Key
    counted: _Counted | None
    read: Read


@dataclass
class _Minute:
    """What is known of the running minute of the clock, from ``floor`` to ``ends``."""

    began: datetime
    counted: dict[_Key, _Counted] = field(default_factory=dict)
    noted: set[tuple[_Key, tuple[str, ...]]] = field(default_factory=set)
    """Whose versions and keys in use are written down already."""

    def __post_init__(self) -> None:
        self.floor = self.began.replace(second=0, microsecond=0)
        self.ends = self.floor + timedelta(minutes=1)

    @property
    def size(self) -> int:
        return len(self.counted) + len(self.noted)


class GroupedReadAudit:
    """``secrets.read_audit.ReadAudit`` of a process that serves programs. Thread-safe; ``close`` writes what is counted."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, note: Note = note_nothing) -> None:
        self._database = database
        self._clock = clock
        self._id = ids.nonce()
        self._note = note
        self._changed = threading.Condition()
        self._instances = Instances()
        self._minute = _Minute(clock.now())
        self._jobs: list[_Job] = []
        self._ended: list[_Counted] = []
        self._parts = 0
        self._thread: threading.Thread | None = None
        self._closing = False
        self.reads = 0
        self.unchanged_answers = 0
        """Since this process began; neither is written down."""

    def handed_out(self, actor: Actor, consumer: Consumer, read: ValuesRead) -> None:
        """As the protocol says. Raises Unavailable when it cannot be written."""
        first = self.begin(actor, consumer, read)
        if first is not None:
            first.result()

    def begin(
        self, actor: Actor, consumer: Consumer, read: ValuesRead, request_id: str | None = None
    ) -> "Future[None] | None":
        """Count a read. None: it may be answered. Else it may once the future ends well, which raises Unavailable otherwise.

        ``request_id`` is that of the actor, who has none.
        """
        with self._changed:
            minute, instance = self._now_of(actor, consumer)
            key = (actor.id, read.key, instance)
            known = minute.counted.get(key)
            if known is None:
                self._require_room()
                actor = actor if request_id is None else replace(actor, request_id=request_id)
                first: Future[None] = Future()
                bare = replace(read, values=())  # a list may have a thousand of them: they are needed once
                self._parts += 1
                known = minute.counted[key] = _Counted(actor, bare, instance, minute.began, first, self._parts)
                minute.noted.add((key, consumer.in_use))
                self._enqueue(_Job(key, known, self._read(actor, consumer, instance, read)))
            else:
                known.repeats += 1
                if (key, consumer.in_use) not in minute.noted:
                    self._note_soon(actor, consumer, key, read, unchanged=False)
            self.reads += 1
            return None if known.first.done() and known.first.exception() is None else known.first

    def unchanged(self, actor: Actor, consumer: Consumer, read: ValuesRead) -> None:
        """Count an answer without values; it waits for nothing, and is no event."""
        if not (read.of_credentials or consumer.in_use):  # nobody asks who has them
            self.unchanged_answers += 1
            return
        with self._changed:
            minute, instance = self._now_of(actor, consumer)
            self.unchanged_answers += 1
            key = (actor.id, read.key, instance)
            if (key, consumer.in_use) not in minute.noted:
                self._note_soon(actor, consumer, key, read, unchanged=True)

    def close(self) -> None:
        """Write what is counted and end the thread. Safe to repeat; a later read starts another."""
        with self._changed:
            thread, self._closing = self._thread, True
            self._end_minute(self._clock.now())
            if self._ended and thread is None:
                thread = self._start()
            self._changed.notify()
        if thread is not None:
            thread.join(30)
        with self._changed:
            self._closing = False

    # --- with the lock held -------------------------------------------------------------------------------------------

    def _now_of(self, actor: Actor, consumer: Consumer) -> tuple[_Minute, str | None]:
        now = self._clock.now()
        if not self._minute.floor <= now < self._minute.ends:
            self._end_minute(now)
            self._instances.forget_old(now)
        elif self._minute.size >= MOST_COUNTED:
            self._end_minute(now)
        instance = consumer.instance
        if instance is not None:
            instance = self._instances.name(actor.id or "", instance, now)
        return self._minute, instance

    def _end_minute(self, now: datetime) -> None:
        self._ended += [counted for counted in self._minute.counted.values() if counted.repeats]
        self._minute = _Minute(now)
        if self._ended:
            self._changed.notify()

    def _require_room(self) -> None:
        if len(self._jobs) >= MOST_WAITING or len(self._ended) >= 2 * MOST_COUNTED:
            raise _cannot_write()

    def _note_soon(self, actor: Actor, consumer: Consumer, key: _Key, read: ValuesRead, *, unchanged: bool) -> None:
        if len(self._jobs) < MOST_WAITING:  # else the next answer of this kind tells it
            self._minute.noted.add((key, consumer.in_use))
            self._enqueue(_Job(key, None, self._read(actor, consumer, key[2], read, unchanged=unchanged)))

    def _read(
        self, actor: Actor, consumer: Consumer, instance: str | None, read: ValuesRead, *, unchanged: bool = False
    ) -> Read:
        now, ip = self._clock.now(), consumer.ip
        return Read(actor, ip, instance, consumer.refresh_interval, consumer.in_use, read.values, now, unchanged)

    def _enqueue(self, job: _Job) -> None:
        self._jobs.append(job)
        if self._thread is None:
            self._start()
        elif len(self._jobs) == 1:
            self._changed.notify()

    def _start(self) -> threading.Thread:
        self._thread = threading.Thread(target=self._run, name="reads", daemon=True)
        self._thread.start()
        return self._thread

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failed = False
        while True:
            with self._changed:
                if not self._closing and (failed or not (self._jobs or self._ended)):
                    self._changed.wait(_LOOK_EVERY)
                if self._minute.counted and self._is_over():
                    self._end_minute(self._clock.now())
                most = len(self._jobs) if failed else _AT_ONCE  # what stopped some stops all
                jobs, self._jobs = self._jobs[:most], self._jobs[most:]
                ended, self._ended = self._ended, []
                if not jobs and (not ended or failed) and (self._closing or not self._minute.counted):
                    self._ended, self._thread = ended, None
                    return
            failed = not self._write_all(jobs, ended)

    def _is_current(self, counted: _Counted) -> bool:
        return self._minute.counted.get((counted.actor.id, counted.read.key, counted.instance)) is counted

    def _is_over(self) -> bool:
        return self._clock.now() - self._minute.began >= timedelta(minutes=1)

    def _write_all(self, jobs: Sequence[_Job], ended: Sequence[_Counted]) -> bool:
        """Write it all, or tell those who wait why not; say whether it was written."""
        try:
            self._write(jobs, ended)
        except Exception as error:  # noqa: BLE001 - whoever waits has to be told, whatever it is
            if explain(error) is None and len(jobs) > 1:  # one of them is at fault: the others must not suffer for it
                each_alone = [self._write_all([job], []) for job in jobs]
                return self._write_all([], ended) and all(each_alone)
            self._give_up(jobs, ended, error)
            return False
        return True

    def _write(self, jobs: Sequence[_Job], ended: Sequence[_Counted]) -> None:
        with self._database.write() as tx:
            others_first = [job.counted for job in jobs if job.counted and not self._write_first(tx, job.counted)]
            if jobs:
                self._note(tx, [job.read for job in jobs])
            for counted in ended:
                self._write_repeats(tx, counted)
        with self._changed:
            for counted in others_first:
                counted.repeats += 1
                if counted.repeats == 1 and not self._is_current(counted):
                    self._ended.append(counted)
        for job in jobs:
            if job.counted:
                job.counted.first.set_result(None)

    def _write_first(self, tx: Tx, counted: _Counted) -> bool:
        """Write the event; say whether none of this minute was there: another process may have written it."""
        read = counted.read
        return record(tx, counted.actor, read.event, read.subject, self._clock.now(), counted.once, **counted.facts)

    def _write_repeats(self, tx: Tx, counted: _Counted) -> None:
        key, facts = f"{counted.once}:again:{self._id}:{counted.part}", {**counted.facts, "repeats": counted.repeats}
        if counted.repeats:
            record(tx, counted.actor, counted.read.event, counted.read.subject, self._clock.now(), key, **facts)

    def _give_up(self, jobs: Sequence[_Job], ended: Sequence[_Counted], error: Exception) -> None:
        _log.error("reads of secrets could not be written down", waiting=len(jobs), exc_info=error)
        with self._changed:
            for job in jobs:
                if job.counted:
                    job.counted.repeats = 0  # these waited for the same event, and are refused as well
                    if self._is_current(job.counted):
                        del self._minute.counted[job.key]
                self._minute.noted.discard((job.key, job.read.in_use))
            self._ended += ended
        for job in jobs:
            if job.counted:
                job.counted.first.set_exception(explain(error) or _cannot_write())


def _cannot_write() -> Unavailable:
    return Unavailable(
        "This read cannot be written into the audit trail, so no value is handed out.",
        code="delivery.audit",
        retry_after=timedelta(seconds=1),
        fix="Try again in a moment. If it stays so, the server's log says why.",
    )
