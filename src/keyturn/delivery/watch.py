"""Everybody who waits for changes in one process: no thread and no statement for each of them.

The thread that looks at the counters (:mod:`keyturn.changes.counters`) reads what is new once for all, looks whether tokens and
rights still hold, and hands both to the event loop, which wakes whom it concerns. Nothing is missed: whoever waits names the
revision that was read before their answer was made, and the feed is read on from there.
"""

import asyncio
import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from datetime import timedelta
from typing import Any, Protocol

from keyturn.changes import store as feed
from keyturn.changes.counters import Counters
from keyturn.changes.domain import Change
from keyturn.db.unit import Database
from keyturn.delivery.claims import Claim, Claims, Standing
from keyturn.delivery.concerns import Concern, is_urgent
from keyturn.errors import KeyturnError, Unavailable
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock

MOST_WAITERS = 10_000
KEPT_CHANGES = 1000
"""Of each project that somebody waits for, in memory."""
APART = 0.005
LONGEST_SPREAD = 5.0
"""Seconds between two who are woken by the same change, and from the first to the last."""
RIGHTS_EVERY = 0.4
"""Seconds at least between two looks at the rights of all who wait."""
_COME_AGAIN = timedelta(seconds=5)

Numbered = tuple[int, Change]


class Later(Protocol):
    def __call__(self, seconds: float, call: Callable[[], object], /) -> Any:
        """Call it on the running loop after so many seconds; return what has ``cancel()``."""


def place_in_line(*who: str | None) -> float:
    """Return a number from 0 to 1, always the same for the same identity and instance: when it is woken among others."""
    text = "\n".join(part or "" for part in who)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


@dataclass(eq=False, slots=True)
class Waiter:
    """Somebody who waits. ``wake`` is called on the loop, maybe several times. ``place``: see :func:`place_in_line`."""

    claim: Claim
    concern: Concern
    place: float
    wake: Callable[[], None]
    is_told: bool = False
    """Whether it is told names by what is known of its rights here, not only woken to look for itself."""


@dataclass(eq=False, slots=True)
class _Project:
    """``recent`` are the changes after ``begins``, up to ``known``: those that were delivered. ``read`` is the thread's own."""

    known: int
    begins: int
    read: int
    recent: deque[Numbered] = field(default_factory=deque)
    waiters: set[Waiter] = field(default_factory=set)


@dataclass(slots=True)
class _Step:
    """What is new in a project, up to a number. None: more than is kept, or (``up_to`` None) the project is gone."""

    project: _Project
    changes: Sequence[Numbered] | None
    up_to: int | None


@dataclass(slots=True)
class _News:
    standings: list[tuple[Claim, Standing | KeyturnError]]
    steps: list[_Step]


class ChangeWatch:
    """``most`` may wait at the same time. To be used from one event loop; the counters' thread comes in by itself."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        counters: Counters,
        *,
        most: int = MOST_WAITERS,
        later: Later | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.claims = Claims(database, clock, lambda: counters.access)
        self.database = database
        self._clock = clock
        self._counters = counters
        self._most = most
        self._later = later or _on_loop
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._projects: dict[str, _Project] = {}
        self._waiting = 0
        self.released = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._access_seen = counters.access
        self._rights_at = float("-inf")
        counters.listen(self._looked)

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return self._waiting

    def enter(self) -> None:
        """Take one of the places of those who may wait, until :meth:`leave`. Raises Unavailable where none is free.

        A place is kept until the request is answered: who is woken for nothing waits on, however many came meanwhile.
        """
        with self._lock:
            self.require_room()
            self._waiting += 1

    def leave(self) -> None:
        with self._lock:
            self._waiting -= 1

    def require_room(self) -> None:
        """Raise Unavailable when as many wait as may."""
        if self._waiting >= self._most:
            raise Unavailable(
                f"{self._waiting} requests wait for changes, as many as this server lets wait.",
                code="delivery.too_many_waiters",
                retry_after=_COME_AGAIN,
                fix="Ask without waiting, or let the operator raise KEYTURN_MAX_WAITERS.",
            )

    async def news(self, claim: Claim, concern: Concern, place: float, seconds: float) -> bool:
        """Wait for something that concerns the answer, at most so many seconds; say whether to look again.

        True also when what the caller came with may not hold any more. Between :meth:`enter` and :meth:`leave`.
        """
        waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def end(*, again: bool) -> None:
            if not waiting.done():
                waiting.set_result(again)

        waiter = Waiter(claim, concern, place, lambda: end(again=not self.released))
        self.add(waiter)
        holds = self.holds_for(claim)
        if holds is not None and holds < seconds:
            ending = self._later(holds, waiter.wake)
        else:
            # When nobody has looked for long, the answer may be old: it is made again, which says what the trouble is.
            ending = self._later(seconds, lambda: end(again=not self._counters.confirmed))
        try:
            return await waiting
        finally:
            ending.cancel()
            self.remove(waiter)

    def holds_for(self, claim: Claim) -> float | None:
        """Return for how many seconds the claim holds by the clock; None: without end."""
        until = claim.standing.until
        return None if until is None else max(0.0, (until - self._clock.now()).total_seconds())

    def add(self, waiter: Waiter) -> None:
        """Begin to wake somebody; at once where something has happened since their claim was made, or nobody is to wait any more.

        Between :meth:`enter` and :meth:`leave`.
        """
        self._loop = asyncio.get_running_loop()
        self._counters.start()
        claim = waiter.claim
        with self._lock:
            project = self._projects.get(claim.project_id)
            if project is None:
                project = self._projects[claim.project_id] = _Project(*(claim.revision,) * 3)
                self._counters.ask(claim.project_id)
            project.waiters.add(waiter)
            late = claim.revision < project.begins or _concerns(waiter, project.recent)
        if self.released or late or claim.access != self._counters.access or claim.refusal is not None:
            waiter.wake()

    def remove(self, waiter: Waiter) -> None:
        project_id = waiter.claim.project_id
        with self._lock:
            project = self._projects[project_id]
            project.waiters.discard(waiter)
            if not project.waiters:
                del self._projects[project_id]
                self._counters.leave(project_id)

    def release(self) -> None:
        """Let nobody wait any more: the server stops, and those who waited ask another one. From any thread; safe to repeat."""
        self.released = True
        with self._lock:
            waiters = [waiter for project in self._projects.values() for waiter in project.waiters]
        if self._loop is not None and not self._loop.is_closed():
            for waiter in waiters:
                self._loop.call_soon_threadsafe(waiter.wake)

    async def rest(self, woken: asyncio.Event, seconds: float) -> bool:
        """Wait until the event is set, at most so many seconds; say whether it was."""
        over = False

        def end() -> None:
            nonlocal over
            over = True
            woken.set()

        ending = self._later(seconds, end)
        try:
            await woken.wait()
        finally:
            ending.cancel()
        return not over

    def may_tell(self, claim: Claim) -> int:
        """Return up to which number changes may be told by the rights of the claim: those after it are not delivered yet."""
        with self._lock:
            project = self._projects.get(claim.project_id)
            return max(claim.revision, project.known if project else 0)

    def changes_since(self, project_id: str, number: int) -> Sequence[Numbered] | None:
        """Return the project's changes after the number, as far as they are in memory; None where some may not be."""
        with self._lock:
            project = self._projects.get(project_id)
            if project is None or number < project.begins:
                return None
            return [each for each in project.recent if each[0] > number]

    # --- in the thread of the counters ------------------------------------------------------------------------------

    def _looked(self) -> None:
        with self._lock:
            projects = dict(self._projects)
        if not projects or self._loop is None or self._loop.is_closed():
            return
        steps = [step for each in projects.items() if (step := self._step(*each)) is not None]
        # After the changes were read: rights that were taken away before them are known before they are told. When this
        # fails nothing is delivered, and the next look begins where this one did.
        standings = self._changed_standings(projects.values(), [step.project for step in steps])
        for step in steps:
            step.project.read = step.up_to or step.project.read
        if standings or steps:
            self._loop.call_soon_threadsafe(self._deliver, _News(standings, steps))

    def _changed_standings(
        self, projects: Iterable[_Project], changed: Sequence[_Project]
    ) -> list[tuple[Claim, Standing | KeyturnError]]:
        """Look at the rights of all who wait, now and then; at those of who is about to be told something in any case."""
        access, now = self._counters.access, self._monotonic()
        if access == self._access_seen:
            return []
        all_of_them = now - self._rights_at >= RIGHTS_EVERY
        with self._lock:
            claims = [
                waiter.claim
                for project in (projects if all_of_them else changed)
                for waiter in project.waiters
                if all_of_them or waiter.is_told
            ]
        standings = self.claims.look_again(claims)
        if all_of_them:
            self._access_seen, self._rights_at = access, now
        return standings

    def _step(self, project_id: str, project: _Project) -> _Step | None:
        number = self._counters.revision(project_id)
        if number is None:
            return _Step(project, None, None) if self._counters.confirmed else None
        if number <= project.read:
            return None
        with self.database.read() as tx:
            changes = feed.since(tx, project_id, project.read, KEPT_CHANGES + 1)
        if len(changes) > KEPT_CHANGES:
            return _Step(project, None, number)
        return _Step(project, changes, changes[-1][0] if changes else number)

    # --- on the loop ------------------------------------------------------------------------------------------------

    def _deliver(self, news: _News) -> None:
        changed = {}
        for claim, standing in news.standings:
            if isinstance(standing, KeyturnError):
                claim.refusal = standing
            else:
                claim.standing = standing
            changed[id(claim)] = claim
        if changed:
            for project_id in {claim.project_id for claim in changed.values()}:
                for waiter in self._waiters(self._projects.get(project_id)):
                    if id(waiter.claim) in changed:
                        waiter.wake()
        for step in news.steps:
            self._keep(step)
            self._wake(step.project, step.changes)

    def _keep(self, step: _Step) -> None:
        project = step.project
        with self._lock:
            if step.up_to is None:
                return
            project.known = step.up_to
            if step.changes is None:
                project.recent.clear()
                project.begins = step.up_to
            else:
                project.recent.extend(step.changes)
            while len(project.recent) > KEPT_CHANGES:
                project.begins = project.recent.popleft()[0]

    def _wake(self, project: _Project, changes: Sequence[Numbered] | None) -> None:
        waiters = self._waiters(project)
        touched = waiters if changes is None else [each for each in waiters if _concerns(each, changes)]
        urgent = changes is not None and any(is_urgent(change) for _, change in changes)
        window = 0.0 if urgent else min(LONGEST_SPREAD, APART * (len(touched) - 1))
        for waiter in touched:
            self._later(window * waiter.place, waiter.wake) if window else waiter.wake()

    def _waiters(self, project: _Project | None) -> list[Waiter]:
        with self._lock:
            return list(project.waiters) if project else []


def _concerns(waiter: Waiter, changes: Iterable[Numbered]) -> bool:
    return any(number > waiter.claim.revision and waiter.concern.touched_by(change) for number, change in changes)


def _on_loop(seconds: float, call: Callable[[], object]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, call)
