"""Servers that can be slow, be cut off, lose answers and die, each by itself; they share one database and one Entra."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from keyturn.db.unit import Database, Tx
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed
from keyturn.rotations.work.attempt import RotationWork
from keyturn_simulation.crashes import Fuse, Killed
from keyturn_simulation.emulated import EmulatedTransport
from keyturn_simulation.world import Server


class FaultHooks(Protocol):
    """What the surroundings do to a process at the instants when they can."""

    def slow_down(self, process: "Process", where: str) -> None:
        """Let the process be slow here: meanwhile others work. Raises Killed if it was killed meanwhile."""

    def before_send(self, process: "Process", request: HttpRequest) -> None:
        """A request is about to leave."""

    def after_answer(self, process: "Process", request: HttpRequest, status: int) -> None:
        """A request was carried out, whether or not the process will hear of it."""

    def after_commit(self, process: "Process") -> None:
        """A write transaction was committed."""


@dataclass
class Work:
    """A rotation that a process holds. ``running`` while a turn of it is under way, perhaps suspended."""

    rotation_work: RotationWork
    turns: int = 0
    running: bool = False


@dataclass
class Process:
    """One server process and what is in its memory."""

    name: str
    fuse: Fuse
    network: "Network"
    server: Server = field(init=False)
    alive: bool = True
    works: dict[str, Work] = field(default_factory=dict)
    holding: list[RotationWork | None] = field(default_factory=list)
    """The lease under which the code now running works, innermost last; None for a user's request."""
    slow_since_commit: bool = False

    def check_alive(self) -> None:
        """Raise Killed if the process was killed while this piece of its work was suspended."""
        if not self.alive:
            raise Killed

    def point(self, moment: str) -> None:
        """An instant at which the process may die; from then on not even its clean-up runs."""
        try:
            self.fuse.point(moment)
        except Killed:
            self.alive = False
            raise

    def die_at(self, instants: int) -> None:
        """Let the process die at the instant after so many others: around a request or a commit."""
        self.fuse.kill_at, self.fuse.armed = len(self.fuse.points) + instants, True

    @contextmanager
    def under(self, lease: RotationWork | None) -> Iterator[None]:
        self.holding.append(lease)
        try:
            yield
        finally:
            self.holding.pop()


class Network:
    """A ``ports.Transport`` between one process and Entra, that fails by itself.

    ``loss`` is how often an answer is lost, ``trouble`` how often a request does not even leave. ``cut`` stops everything.
    """

    def __init__(self, inner: EmulatedTransport, hooks: FaultHooks, rng: Random) -> None:
        self._inner = inner
        self._hooks = hooks
        self._rng = rng
        self.process: Process | None = None
        self.cut = False
        self.loss = 0.0
        self.trouble = 0.0

    def heal(self) -> None:
        self.cut, self.loss, self.trouble = False, 0.0, 0.0

    def send(self, request: HttpRequest) -> HttpResponse:
        process = self._process()
        process.check_alive()
        process.point("before the request")
        self._hooks.slow_down(process, "before a request")
        if self.cut or (self.trouble and self._rng.random() < self.trouble):
            raise TransportFailed("cannot connect", sent=False)
        self._hooks.before_send(process, request)
        try:
            response = self._inner.send(request)
        except TransportFailed:
            self._hooks.after_answer(process, request, 0)
            raise
        self._hooks.after_answer(process, request, response.status)
        process.point("before the answer")
        self._hooks.slow_down(process, "before an answer")
        if self.loss and self._rng.random() < self.loss:
            raise TransportFailed("the connection broke before an answer", sent=True)
        return response

    def _process(self) -> Process:
        if self.process is None:
            raise AssertionError("a network of nobody")
        return self.process


class ProcessDatabase(Database):
    """One process's handle on the shared database: it may be slow before a transaction and die around a commit."""

    def __init__(self, shared: Database, hooks: FaultHooks, process: Callable[[], Process]) -> None:
        super().__init__(shared.engine)
        self._held = shared._held  # noqa: SLF001 - one thread, one transaction, whichever handle
        self.link = shared.link
        self._hooks = hooks
        self._process = process

    @contextmanager
    def write(self) -> Iterator[Tx]:
        process = self._process()
        process.check_alive()
        if not self.in_transaction:
            self._hooks.slow_down(process, "before a transaction")
        with super().write() as tx:
            yield tx
            process.point("before the commit")
        self._hooks.after_commit(process)
        process.slow_since_commit = False
        process.point("after the commit")
