"""What all tests that kill have in common: an Entra that lags, the pace of the processes, lives of random length, and rest."""

import math
import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import cast

import sqlalchemy as sa

from entra_emulator import Settings
from keyturn.db.tables import credentials, runs
from tests.kill import judge
from tests.kill.watched import WatchedEmulator
from tests.postgres import fresh_database
from tests.system.installation import Installation

SHORTEST_LIFE, LONGEST_LIFE = 0.01, 3.0
"""Seconds between a server's first call to Entra and its end; a rotation takes about half a second."""
KILLED_WHILE_STARTING = 0.15
REST_SECONDS = 120
LAG = Settings(
    replicas=2,
    token_appear=(0, 0.1),
    graph_appear=(0, 0.1),
    token_vanish=(0, 0.1),
    graph_vanish=(0, 0.1),
    latency=(0, 0.01),
)
PACE = {
    "KEYTURN_PROOF_SPACING": "0.02",
    "KEYTURN_CONFIRM_SPACING": "0.15",  # longer than the lag, as the real ones are
    "KEYTURN_SWEEP_AFTER": "0.5",
    "KEYTURN_FIND_EVERY": "0.05",
    "KEYTURN_HEARTBEAT": "0.1",
    "KEYTURN_DEAD_AFTER": "1",
    "KEYTURN_LOG_LEVEL": "DEBUG",
    "KEYTURN_LOG_FORMAT": "json",
    "KEYTURN_RUN_TRIES": "20",
}
SERVE = ("serve", "--port", "0")


@contextmanager
def database(kind: str) -> Iterator[str | None]:
    """The address of a new database; None for the embedded one."""
    if kind == "sqlite":
        yield None
    else:
        with fresh_database() as url:
            yield url


def watched(place: Installation) -> WatchedEmulator:
    return cast(WatchedEmulator, place.emulator)


def printed_seed() -> int:
    """Return a random one, which is printed."""
    value = secrets.randbelow(1_000_000)
    print(f"seed {value}")
    return value


def life(luck: random.Random) -> float:
    """Seconds: as many lives end within one call to Entra as within one rotation, or after several."""
    return math.exp(luck.uniform(math.log(SHORTEST_LIFE), math.log(LONGEST_LIFE)))


def until(
    holds: Callable[[], bool],
    what: str,
    *,
    seconds: float = REST_SECONDS,
    otherwise: Callable[[], object] = lambda: "",
) -> None:
    """Wait until it holds. Raises AssertionError, with what ``otherwise`` returns, when it does not in so many seconds."""
    over = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over, f"waited in vain until {what}: {otherwise()}"
        time.sleep(0.02)


def settle(place: Installation, applications: Sequence[str], folders: Iterable[Path], stacks: Callable[[], str]) -> str:
    """Let these applications, by object id, come to rest, and see that all is as it should be; return it in words."""
    began = time.monotonic()
    place.emulator.faults.clear()
    _come_to_rest(place, stacks)
    rested = time.monotonic() - began
    wrong = judge.problems_at_rest(place, applications)
    assert not wrong, wrong
    stored = judge.files(*folders)
    if not place.core.settings.embedded:
        stored = chain(stored, judge.postgres_contents(place))
    searched, leaks = judge.search(watched(place), stored)
    assert not leaks
    return f"at rest after {rested:.1f} s; {searched} files and tables hold no secret"


def _come_to_rest(place: Installation, stacks: Callable[[], str]) -> None:
    """Wait until nothing is under way, with patience anew whenever less is than before."""
    fewest, over = under_way(place), time.monotonic() + REST_SECONDS
    while left := under_way(place):
        if left < fewest:
            fewest, over = left, time.monotonic() + REST_SECONDS
        assert time.monotonic() < over, f"waited in vain until all is quiet: {[*restless(place), stacks()]}"
        time.sleep(0.02)


def under_way(place: Installation) -> int:
    """How many runs and credentials have not come to rest."""
    resting = [state.value for state in judge.AT_REST]
    with place.core.database.read() as tx:
        open_runs = tx.one(sa.select(sa.func.count().label("n")).where(runs.c.finished_at.is_(None)))
        open_rows = tx.one(sa.select(sa.func.count().label("n")).where(credentials.c.state.not_in(resting)))
    return sum(row["n"] for row in (open_runs, open_rows) if row)


def restless(place: Installation) -> list[str]:
    """What is still under way, for the message of a failure."""
    with place.core.database.read() as tx:
        open_runs = tx.rows(sa.select(runs).where(runs.c.finished_at.is_(None)))
    rows = [row for row in judge.read_journal(place) if row.state not in judge.AT_REST]
    lines = [f"{row.state} tries={row.tries} retry_at={row.retry_at} note={row.note}" for row in rows]
    return [*lines, *(f"run tries={run['tries']} retry_at={run['retry_at']}" for run in open_runs)]
