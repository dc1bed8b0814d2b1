"""Every instant at which a process can die: before and after each request is sent, before and after each commit.

The points are not listed by hand: a scenario is run once to count them, then once per point with a death exactly there.
What dies is one process; the database and Entra live on, and another process takes over.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from keyturn.db.tables import leases
from keyturn.db.unit import Database, Tx
from keyturn.ports.http import HttpRequest, HttpResponse
from keyturn.rotations.protocol import Step
from keyturn_simulation.emulated import EmulatedTransport


class Killed(BaseException):
    """The process is gone at this instant: no handler, no clean-up."""


@dataclass(frozen=True)
class Point:
    """One instant: which step was under way, and what had just happened or was about to."""

    step: str
    moment: str


@dataclass
class Fuse:
    """Counts the instants that pass and kills at the one chosen."""

    kill_at: int | None = None
    points: list[Point] = field(default_factory=list)
    step: str = "-"
    armed: bool = False

    def watch(self, _rotation_id: str, step: Step) -> None:
        self.step = step.name.value

    def point(self, moment: str) -> None:
        if not self.armed:
            return
        self.points.append(Point(self.step, moment))
        if len(self.points) - 1 == self.kill_at:
            self.armed = False
            raise Killed

    @contextmanager
    def arm(self, step: str) -> Iterator[None]:
        """Within this block the process may die."""
        self.step, self.armed = step, True
        try:
            yield
        finally:
            self.armed = False


class MortalDatabase(Database):
    """A database whose user may die right before or right after a commit."""

    def __init__(self, database: Database, fuse: Fuse) -> None:
        super().__init__(database.engine)
        self._held = database._held  # noqa: SLF001 - one thread, one transaction, whichever handle
        self.link = database.link
        self._fuse = fuse

    @contextmanager
    def write(self) -> Iterator[Tx]:
        with super().write() as tx:
            yield tx
            self._fuse.point("before the commit")
        self._fuse.point("after the commit")


class MortalTransport:
    """A network whose user may die right before a request is sent, or when it was carried out but not yet answered."""

    def __init__(self, inner: EmulatedTransport, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    def send(self, request: HttpRequest) -> HttpResponse:
        self._fuse.point("before the request")
        response = self._inner.send(request)
        self._fuse.point("before the answer")
        return response


def end_leases_of(database: Database, process: str, now: Callable[[], object]) -> None:
    """What the survivors do with the leases of a dead process."""
    with database.write() as tx:
        tx.run(sa.update(leases).where(leases.c.holder == process).values(expires_at=now()))
