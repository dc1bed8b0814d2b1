"""Whether the database answers and takes writes, and whether some process of this installation takes work."""

from datetime import datetime, timedelta

from keyturn.db.migrate import newer_version
from keyturn.db.trouble import trouble_of
from keyturn.db.unit import Database
from keyturn.engine.store import list_processes
from keyturn.kit.clock_difference import WRONG
from keyturn.kit.dataclasses import dataclass

PATIENCE = 1.0
"""Seconds that a look waits for its write."""
TRUSTED = 5.0
"""For so many seconds the last write of this process is proof enough."""
OUTDATED = (
    "A newer version of Keyturn has migrated the database to version {}: end this process, and start that version."
)
NO_WORKER = "No worker lives: start keyturn serve or keyturn worker."


@dataclass(frozen=True)
class Readiness:
    """What a look found. ``reason`` is a sentence about what is wrong."""

    database: bool
    worker: bool
    writable: bool
    reason: str | None = None


def look(database: Database, now: datetime, dead_after: timedelta) -> Readiness:
    """Look once; never raises. Takes as long as the database does."""
    try:
        with database.read() as tx:
            heartbeats = [process.seen_at for process in list_processes(tx)]
        newer = newer_version(database)
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is: not reachable
        return Readiness(database=False, worker=False, writable=False, reason=_reason(error))
    if newer is not None:
        return Readiness(database=True, worker=False, writable=True, reason=OUTDATED.format(newer))
    # A process that was seen far ahead of our clock may be long dead: its clock was wrong, or ours is.
    worker = any(now - dead_after <= at <= now + WRONG for at in heartbeats)
    try:
        database.check_writable(PATIENCE, TRUSTED)
    except Exception as error:  # noqa: BLE001 - as above
        return Readiness(database=True, worker=worker, writable=False, reason=_reason(error))
    return Readiness(database=True, worker=worker, writable=True, reason=None if worker else NO_WORKER)


def _reason(error: Exception) -> str:
    trouble = trouble_of(error)
    return trouble.message if trouble else f"The database refused a query ({type(error).__name__})."
