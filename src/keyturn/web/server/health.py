"""Whether this server lives and can work: for load balancers, orchestrators and people."""

from collections.abc import Callable
from datetime import timedelta

from keyturn import __version__
from keyturn.kit.clock import iso
from keyturn.kit.clock_difference import WRONG
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.latest import Latest
from keyturn.ports.clock import Clock
from keyturn.web.error_responses import json_response
from keyturn.web.messages import Response
from keyturn.web.routes import Routes, get, group
from keyturn.web.schema.wire import ApiModel, Timestamp

PATIENCE = 1.5
"""Seconds after which an answer says that the database hangs: orchestrators wait for two."""
FRESH = 1.0
"""Seconds for which one look is enough, however many ask."""


@dataclass(frozen=True)
class Status:
    """What the composition root knows: does the database answer, does it take writes, is a worker alive (here or elsewhere).

    ``reason`` is a sentence about what is wrong.
    """

    database: bool
    worker: bool
    writable: bool = True
    reason: str | None = None
    clock_ahead: timedelta | None = None
    """How far our clock is ahead of the identity provider's; None while that is unknown."""

    @property
    def clock_wrong(self) -> bool:
        return self.clock_ahead is not None and abs(self.clock_ahead) > WRONG

    @property
    def ready(self) -> bool:
        return self.database and self.writable and self.worker


HANGS = Status(database=False, worker=False, writable=False, reason="The database does not answer.")


def latest(look: Callable[[], Status], *, patience: float = PATIENCE, fresh: float = FRESH) -> Latest[Status]:
    """Return what says in time what a look finds, or ``HANGS``."""
    return Latest(look, HANGS, patience=patience, fresh=fresh)


class StatusAnswer(ApiModel):
    message: str
    ok: bool
    version: str
    date: Timestamp
    database: bool
    worker: bool
    clock_ahead_seconds: int | None
    """How far this server's clock is ahead of the identity provider's; null while no answer of it told. Fine up to 120."""
    writable: bool
    reason: str | None


class Alive(ApiModel):
    ok: bool


def fine() -> Status:
    return Status(database=True, worker=True)


def router(status: Callable[[], Status], clock: Clock) -> Routes:
    @get("/api/status", public=True, probe=True)
    def show_status() -> StatusAnswer:
        """Show whether the server works.

        Always 200 while the server answers; ``ok`` says whether the database is reachable and takes writes, a worker is
        alive, and the clock is less than five minutes off; ``reason`` says what is wrong with database or worker.
        """
        current_status = status()
        ok = current_status.ready and not current_status.clock_wrong
        ahead = current_status.clock_ahead
        return StatusAnswer(
            message="Ok" if ok else "Degraded",
            ok=ok,
            version=__version__,
            date=iso(clock.now()),
            database=current_status.database,
            worker=current_status.worker,
            clock_ahead_seconds=None if ahead is None else round(ahead.total_seconds()),
            writable=current_status.writable,
            reason=current_status.reason,
        )

    @get("/healthz", public=True, immediate=True)
    def show_liveness() -> Alive:
        """Say that the process answers."""
        return Alive(ok=True)

    @get("/readyz", public=True, probe=True, also={503: "Not ready: the body says what is missing"})
    def show_readiness() -> Response:
        """Say whether this installation can work now: 200, or 503 with what is missing.

        Ready means: the database answers and takes writes, and a worker is alive, in this process or in another. The answer
        comes within two seconds, also while the database hangs.
        """
        current_status = status()
        shape = {
            "ok": current_status.ready,
            "database": current_status.database,
            "writable": current_status.writable,
            "worker": current_status.worker,
            **({"reason": current_status.reason} if current_status.reason else {}),
        }
        return json_response(shape, 200 if current_status.ready else 503)

    return group("Health", show_status, show_liveness, show_readiness)
