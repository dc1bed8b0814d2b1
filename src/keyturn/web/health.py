"""Whether this server lives and can work: for load balancers, orchestrators and people."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from litestar import Response, Router

from keyturn import __version__
from keyturn.kit.clock import iso
from keyturn.kit.clock_difference import WRONG
from keyturn.ports import Clock
from keyturn.web.problems import json_response
from keyturn.web.routes import get, group
from keyturn.web.wire import Timestamp, Wire


@dataclass(frozen=True)
class Status:
    """What the composition root knows: is the database reachable, is a worker alive (here or elsewhere)."""

    database: bool
    worker: bool
    clock_ahead: timedelta | None = None
    """How far our clock is ahead of the identity provider's; None while that is unknown."""

    @property
    def clock_wrong(self) -> bool:
        return self.clock_ahead is not None and abs(self.clock_ahead) > WRONG

    @property
    def ready(self) -> bool:
        return self.database


class StatusAnswer(Wire):
    message: str
    ok: bool
    version: str
    date: Timestamp
    database: bool
    worker: bool
    clock_ahead_seconds: int | None
    """How far this server's clock is ahead of the identity provider's; null while no answer of it told. Fine up to 120."""


class Alive(Wire):
    ok: bool


def fine() -> Status:
    return Status(database=True, worker=True)


def router(status: Callable[[], Status], clock: Clock) -> Router:
    @get("/api/status", public=True, probe=True)
    def show_status() -> StatusAnswer:
        """Show whether the server works.

        Always 200 while the server answers; ``ok`` says whether the database is reachable, a worker is alive, and the clock is
        less than five minutes off.
        """
        found = status()
        ok = found.database and found.worker and not found.clock_wrong
        ahead = found.clock_ahead
        return StatusAnswer(
            message="Ok" if ok else "Degraded",
            ok=ok,
            version=__version__,
            date=iso(clock.now()),
            database=found.database,
            worker=found.worker,
            clock_ahead_seconds=None if ahead is None else round(ahead.total_seconds()),
        )

    @get("/healthz", public=True, immediate=True)
    def show_liveness() -> Alive:
        """Say that the process answers."""
        return Alive(ok=True)

    @get("/readyz", public=True, probe=True, also={503: "Not ready: the body says what is missing"})
    def show_readiness() -> Response[bytes]:
        """Say whether requests can be served now: 200, or 503 with what is missing."""
        found = status()
        shape = {"ok": found.ready, "database": found.database, "worker": found.worker}
        return json_response(shape, 200 if found.ready else 503)

    return group("Health", show_status, show_liveness, show_readiness)
