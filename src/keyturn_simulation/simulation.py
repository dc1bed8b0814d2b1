"""One seed, one world: two servers, users, others and faults, interleaved at every turn, request and transaction.

Everything random is drawn from the seed, all time is the world's clock, and everything runs in one thread: a piece of work is
suspended by running others inside it. So a seed replays exactly.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.connections import due_store
from keyturn.connections.due import LOOK_CLAIM
from keyturn.db.unit import Database
from keyturn.engine import store as engine_store
from keyturn.engine.dead_processes import StuckLeases, last_end
from keyturn.errors import KeyturnError
from keyturn.ports.http import HttpRequest
from keyturn.rotations.conversion import due as due_conversions
from keyturn.rotations.due import CLAIM
from keyturn.rotations.self_rotation import SelfRotation
from keyturn.rotations.store import conversions
from keyturn.rotations.store import due as due_rotations
from keyturn.rotations.work.attempt import acquire
from keyturn.rotations.work.lease import LeaseLost
from keyturn_simulation.continuous_checks import ContinuousChecks
from keyturn_simulation.crashes import Fuse, Killed
from keyturn_simulation.emulated import EmulatedTransport
from keyturn_simulation.invariants import Broken
from keyturn_simulation.platform_tokens import Platform
from keyturn_simulation.processes import Network, Process, ProcessDatabase, Work
from keyturn_simulation.trace import Trace
from keyturn_simulation.wakes import next_wake, next_wake_by_wrong_clocks
from keyturn_simulation.world import ALL, OWNED, World, make_world

PERSONAL = "AzureADandPersonalMicrosoftAccount"
STARTS = (
    datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
    datetime(2026, 3, 7, 22, 0, tzinfo=UTC),  # New York springs forward within hours
    datetime(2026, 3, 28, 20, 0, tzinfo=UTC),  # Europe springs forward
    datetime(2026, 4, 4, 12, 0, tzinfo=UTC),  # Lord Howe falls back, by half an hour
    datetime(2026, 10, 3, 12, 0, tzinfo=UTC),  # Lord Howe springs forward
    datetime(2026, 10, 24, 20, 0, tzinfo=UTC),  # Europe falls back
    datetime(2026, 10, 31, 22, 0, tzinfo=UTC),  # New York falls back
    datetime(2028, 2, 27, 10, 0, tzinfo=UTC),  # a leap year
    datetime(2026, 12, 30, 23, 50, tzinfo=UTC),
)
WRONG_CLOCKS_EVERY = 5
"""In one of so many worlds the servers' clocks jump."""
APPLICATIONS_EVERY = 4
"""In one of so many worlds the secrets of applications are rotated for readers, too."""
SECRETLESS_EVERY, SECRETLESS = 11, {1, 7}
"""In so many of so many worlds connections are made to sign in without a secret."""
DEEPEST = 2
"""How many pieces of work may be suspended inside one another."""
CLOCKS_APART = timedelta(minutes=20)
"""What clocks that count as right, and work that they dated and that was slow since, are apart at most."""
T = TypeVar("T")


@dataclass(frozen=True)
class DeadServer:
    """A dead process; ``seen_at`` is when it was last alive, by its own clock."""

    name: str
    died_at: datetime
    seen_at: datetime


@dataclass(frozen=True)
class Features:
    """What this seed's world suffers from: a few things at a time, in ever different combinations, find more than all at once."""

    faults: bool
    deaths: bool
    slowness: float
    outsiders: bool
    users: bool
    admins: bool
    jumps: bool
    clocks: bool
    applications: bool
    secretless: bool

    @classmethod
    def draw(cls, rng: Random, seed: int) -> "Features":
        return cls(
            # Not drawn, so that the seeds without them play what they always played.
            clocks=seed % WRONG_CLOCKS_EVERY == 1,
            applications=seed % APPLICATIONS_EVERY == 2,
            secretless=seed % SECRETLESS_EVERY in SECRETLESS,
            faults=rng.random() < 0.75,
            deaths=rng.random() < 0.5,
            slowness=rng.choice((0.0, 0.01, 0.04)),
            outsiders=rng.random() < 0.4,
            users=rng.random() < 0.75,
            admins=rng.random() < 0.4,
            jumps=rng.random() < 0.5,
        )


class Simulation:
    """The scene and its time. ``rng`` decides everything that happens; ``raw`` is for the checks."""

    def __init__(
        self, seed: int, database: Database, raw: sqlite3.Connection, echo: Callable[[str], None] | None = None
    ) -> None:
        self.seed = seed
        self.rng = Random(seed)  # noqa: S311 - repeatable on purpose
        self.features = Features.draw(self.rng, seed)
        self.platform = Platform()
        self.world: World = make_world(
            database,
            seed=seed,
            servers=0,
            start=self.rng.choice(STARTS) + timedelta(seconds=self.rng.randrange(86_400)),
            sources=self.platform.sources if self.features.secretless else None,
        )
        self.clock = self.world.clock
        if self.features.secretless:
            self.platform.open(self.clock, self.world.emulator)
        self.trace = Trace(self.clock, echo)
        self.judge = ContinuousChecks(self.world, raw, published=self.features.applications)
        if self.features.clocks:
            self.world.clocks_apart = CLOCKS_APART
        self.processes: list[Process] = []
        self.dead_servers: list[DeadServer] = []
        """Dead processes whose leases nobody has ended yet."""
        self.calm = False
        self.spare: list[ApplicationHandle] = []
        self._stuck: dict[str, StuckLeases] = {}
        """By the name of the process that watches them."""
        self._raw = raw
        self._depth = 0
        self._started = 0
        self.world.watcher = lambda rotation_id, step: self.trace.note("step", f"{rotation_id[:8]} {step.name.value}")
        self.trace.note("scene", repr(self.features))
        self._applications()
        self.start_process()
        self.start_process()

    def _applications(self) -> None:
        """One application of each kind; the second has two secrets, so that two connections can share it."""
        kinds = ((ALL, "AzureADMyOrg", 2), (OWNED, PERSONAL, 1), (OWNED, "AzureADMyOrg", 2))
        for number, (permission, audience, secrets) in enumerate(kinds):
            handle = self.world.emulator.admin.create_application(
                self.world.tenant_id,
                f"Application {number + 2}",
                permissions=(permission,),
                owns_itself=permission == OWNED,
                audience=audience,
                secrets=secrets,
            )
            self.world.applications[handle.app_id] = handle
            if permission == ALL:
                self.world.writers.add(handle.app_id)
            self.spare.append(handle)
        self.spare.append(self.world.application)
        self.world.collect_values()

    # --- processes --------------------------------------------------------------------------------------------------

    def start_process(self) -> Process:
        """Start a server process under a name that was never used before."""
        self._started += 1
        name = f"server-{self._started}"
        inner = EmulatedTransport(self.world.emulator, guard=self.world.guard, elapse=self.clock.advance, instance=name)
        network = Network(inner, self, self.rng)
        process = Process(name, Fuse(), network)
        network.process = process
        database = ProcessDatabase(self.world.database, self, lambda: process)
        process.server = self.world.server(
            name, database, network, await_lease=lambda seconds: self._user_waits(process, seconds)
        )
        self.processes.append(process)
        self.trace.note(name, "starts")
        return process

    def kill(self, process: Process) -> None:
        """The process is gone, with all that it had in memory; what it had suspended never goes on."""
        process.alive = False
        if process in self.processes:
            self.processes.remove(process)
            process.works.clear()
            self.dead_servers.append(DeadServer(process.name, self.clock.now(), process.server.clock.now()))
            self.trace.note(process.name, "dies")

    def surviving(self, process: Process, act: Callable[[], T]) -> T | None:
        """Run a piece of the process's work; None if it died of it."""
        try:
            return act()
        except Killed:
            self.kill(process)
            return None

    def clean_up_after(self, survivor: Process, name: str, seen_at: datetime) -> None:
        """The process does what it does for others that it takes for dead: end their leases, wake their work.

        ``seen_at`` is by the clock of the other.
        """
        now, pace = survivor.server.clock.now(), survivor.server.context.pace
        self.trace.note(survivor.name, f"takes {name} for dead")

        def act() -> None:
            with survivor.server.context.database.write() as tx:
                leases = engine_store.free_leases(tx, name, now, last_end(seen_at, pace))
                due_rotations.wake_applications(tx, leases, now)

        with survivor.under(None):
            self.surviving(survivor, act)

    # --- work -------------------------------------------------------------------------------------------------------

    def run_once(self, process: Process) -> bool:
        """Let the process do one thing: a turn of what it holds, or look for more. False when it has nothing to do."""
        if not process.alive:
            return False
        self._clean_up_after_dead(process)
        if self.features.clocks:
            self._end_stuck_leases(process)
        waiting = [key for key, work in process.works.items() if not work.running]
        due = self._due(process.server.clock.now())
        if waiting and (not due or self.rng.random() < 0.7):
            self.turn(process, self.rng.choice(waiting))
            return True
        if due:
            self.claim(process)
        return bool(due)

    def _clean_up_after_dead(self, process: Process) -> None:
        for dead in list(self.dead_servers):
            if dead not in self.dead_servers:
                continue  # somebody else was faster, while this process was slow
            if self.clock.now() - dead.died_at >= self.world.pace.dead_after and self.rng.random() < 0.7:
                self.dead_servers.remove(dead)
                self.clean_up_after(process, dead.name, dead.seen_at)

    def _end_stuck_leases(self, process: Process) -> None:
        context = process.server.context
        stuck = self._stuck.setdefault(
            process.name, StuckLeases(context.database, context.clock, context.pace, due_rotations.wake_applications)
        )
        with process.under(None):
            self.surviving(process, stuck.end)

    def turn(self, process: Process, rotation_id: str) -> None:
        """One step of one rotation, wherever that leads: an answer, a death, a lease that was lost meanwhile."""
        work = process.works[rotation_id]
        work.running, work.turns = True, work.turns + 1
        if work.turns > work.rotation_work.max_turns:
            raise Broken(f"10: rotation {rotation_id} does not rest within {work.rotation_work.max_turns} turns")

        def act() -> bool:
            with process.under(work.rotation_work):
                return process.server.rotator.turn(work.rotation_work)

        try:
            goes_on = bool(self.surviving(process, act))
        except LeaseLost:
            self.trace.note(process.name, f"{rotation_id[:8]} was overtaken")
            goes_on = False
        work.running = False
        if not goes_on:
            process.works.pop(rotation_id, None)
            self.judge.note_rest(rotation_id)

    def claim(self, process: Process) -> None:
        """Look for due work as the finder does, and take the leases as the workflow does."""

        def act() -> None:
            now = process.server.clock.now()
            with process.under(None):
                with process.server.context.database.write() as tx:
                    items = due_rotations.claim_due(tx, now, self.rng.randint(1, 3), now + CLAIM)
                    connection_ids = due_store.claim_looks(tx, now, 2, now + LOOK_CLAIM)
                    courses = (
                        conversions.claim(tx, now, 2, now + due_conversions.CLAIM) if self.features.secretless else []
                    )
                for due in items:
                    self._take(process, due.rotation_id)
                for connection_id in connection_ids:
                    self.trace.note(process.name, f"looks at {connection_id[:8]}")
                    process.server.services.daily_check.run(connection_id)
                for conversion in courses:
                    self.trace.note(process.name, f"goes on with {conversion.name[:16]}")
                    process.server.services.conversion_work.advance(conversion.id)

        self.surviving(process, act)

    def _take(self, process: Process, rotation_id: str) -> None:
        if rotation_id in process.works:
            return
        lease = acquire(process.server.context, rotation_id)
        self.trace.note(process.name, f"{rotation_id[:8]} {'taken' if lease else 'is busy elsewhere'}")
        if lease:
            process.works[rotation_id] = Work(lease)

    def contend(self, process: Process) -> None:
        """Work on some rotation although nobody found it due: as after a claim that ran out."""
        rotation_ids = [str(row[0]) for row in self._raw.execute("SELECT id FROM rotations ORDER BY id")]
        if rotation_ids:
            chosen = self.rng.choice(rotation_ids)
            with process.under(None):
                self.surviving(process, lambda: self._take(process, chosen))

    def request(self, process: Process, what: str, act: Callable[[SelfRotation], T]) -> T | None:
        """A user's request to one of the servers. None when it was refused or nobody answered: users know errors."""
        self.trace.note(process.name, f"user: {what}")
        try:
            with process.under(None):
                return self.surviving(process, lambda: act(process.server.rotations))
        except KeyturnError as error:
            self.trace.note(process.name, f"user is told {error.code}")
            return None

    def _user_waits(self, process: Process, seconds: float) -> None:
        self.clock.advance(seconds)
        others = [other for other in self.processes if other is not process]
        if others and self._depth < DEEPEST:
            self._depth += 1
            try:
                self.run_once(self.rng.choice(others))
            finally:
                self._depth -= 1
        process.check_alive()

    # --- time -------------------------------------------------------------------------------------------------------

    def _due(self, now: datetime) -> bool:
        wake = self.next_wake(now)
        return wake is not None and wake <= now

    def next_wake(self, now: datetime | None = None) -> datetime | None:
        """When there is something to do next: a rotation, or a look at a connection. What a wrong clock put off is due."""
        if not self.features.clocks:
            return next_wake(self._raw)
        return next_wake_by_wrong_clocks(self._raw, now or self.clock.now())

    @property
    def busy(self) -> bool:
        """Whether somebody holds work, or work is due."""
        clocks = {process.server.clock.now() for process in self.processes} | {self.clock.now()}
        return any(process.works for process in self.processes) or any(self._due(now) for now in clocks)

    def let_pass(self, longest: timedelta) -> None:
        """Let the time pass to the next thing to do, at most so long."""
        wake, until = self.next_wake(), self.clock.now() + longest
        self.clock.move_to(min(wake, until) if wake else until)

    # --- hooks of processes -----------------------------------------------------------------------------------------

    def slow_down(self, process: Process, where: str) -> None:
        """Let the process be slow here: meanwhile time passes and others work. Raises Killed if it was killed meanwhile."""
        if self.calm or self._depth >= DEEPEST or self.rng.random() >= self.features.slowness:
            return
        pause = self.rng.choice((0, 0, 2, 12, 31, 50, 130))
        self.trace.note(process.name, f"is slow {where}: {pause} s")
        process.slow_since_commit = True
        self._depth += 1
        seen_at = process.server.clock.now()
        try:
            self.clock.advance(pause)
            others = [other for other in self.processes if other is not process]
            if others and pause > self.world.pace.dead_after.total_seconds() and self.rng.random() < 0.4:
                self.clean_up_after(self.rng.choice(others), process.name, seen_at)
            for _ in range(self.rng.randint(1, 5)):
                if self.processes:
                    self.run_once(self.rng.choice(others if others and self.rng.random() < 0.8 else self.processes))
        finally:
            self._depth -= 1
        process.slow_since_commit = True
        process.check_alive()

    def before_send(self, process: Process, request: HttpRequest) -> None:
        operation = request.url.rsplit("/", 1)[-1]
        if operation in {"addPassword", "removePassword", "addKey", "removeKey"}:
            self.judge.before_send(process, request.url.rsplit("/", 2)[-2], operation)

    def after_answer(self, process: Process, request: HttpRequest, status: int) -> None:
        path = request.url.split("?", 1)[0].rsplit("/", 1)[-1]
        self.trace.note(process.name, f"{request.method} {path} -> {status}")
        if path in {"addPassword", "addKey"}:
            self.world.collect_values()
        self.judge.after_answer()

    def after_commit(self, process: Process) -> None:
        self.judge.after_commit(process)
