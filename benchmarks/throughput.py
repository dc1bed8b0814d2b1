"""How close a thousand rotations come to what the answers of Entra allow.

Each call to Entra takes 0.1 s; with 12 slots, which is what a process has unless told otherwise, at most 120 calls end in a
second. The ratio is the time from the first call to the last, over (calls x 0.1 s / 12): 1.0 would mean that a slot never
waited for anything but Entra. On SQLite one process has all slots; on PostgreSQL two share them, as an installation with two
workers does. ``KEYTURN_CONCURRENCY`` sets another number.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa

from benchmarks.measured import Measured
from entra_emulator import Settings
from keyturn.credentials.domain import State
from keyturn.db.tables import credentials, runs
from keyturn.settings import model as config
from tests.postgres import fresh_database
from tests.system.installation import ROOT, Installation, installation

LATENCY = 0.1
CONCURRENCY = int(os.environ.get("KEYTURN_CONCURRENCY", config.Settings.concurrency))
WORKERS = {"sqlite": 1, "postgres": 2}
ROTATIONS = 1000
LIMIT = 1.3
PATIENCE_SECONDS = 600
PACE = {"KEYTURN_PROOF_SPACING": "0", "KEYTURN_CONFIRM_SPACING": "0", "KEYTURN_SWEEP_AFTER": "86400"}
AT_REST = {State.CURRENT.value, State.REVOKED.value}


def measure(kind: str, count: int = ROTATIONS) -> Measured:
    """Rotate so many applications at once and return one line about it."""
    with tempfile.TemporaryDirectory() as folder, scene(Path(folder), kind) as place:
        for number in range(count):
            name = f"app-{number}"
            place.connect(place.application(name, "Application.ReadWrite.All"), name)
        place.emulator.admin.configure(place.tenant_id, latency=(LATENCY, LATENCY))
        before = len(place.emulator.ledger)
        with workers(place, kind) as children:
            _wait_until_rotated(place, children, count)
            used = sum(_processor_seconds(child.pid) for child in children)
        calls = [call for call in list(place.emulator.ledger)[before:] if call.ended]  # a worker ends amid a look
    wall = max(call.ended for call in calls) - min(call.started for call in calls)
    ideal = len(calls) * LATENCY / CONCURRENCY
    ratio = wall / ideal
    line = (
        f"throughput on {kind} ({WORKERS[kind]} x {CONCURRENCY // WORKERS[kind]} slots): "
        f"{count} rotations in {wall:.1f} s ({count / wall:.1f}/s), {ratio:.2f} x the least in which {len(calls)} calls of "
        f"{LATENCY * 1000:.0f} ms end there (limit {LIMIT}); {used / count * 1000:.0f} ms of processor time a rotation"
    )
    return Measured(line, ratio <= LIMIT)


@contextmanager
def scene(folder: Path, kind: str) -> Iterator[Installation]:
    """An installation on SQLite or PostgreSQL whose Entra replicates at once."""
    if kind == "sqlite":
        with installation(folder, settings=Settings(), variables=PACE) as place:
            yield place
    else:
        with (
            fresh_database() as url,
            installation(folder, database_url=url, settings=Settings(), variables=PACE) as place,
        ):
            yield place


@contextmanager
def workers(place: Installation, kind: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The genuine ``keyturn worker``, as often as this database is shared."""
    slots = str(CONCURRENCY // WORKERS[kind])
    with ExitStack() as stack:
        out = stack.enter_context((place.folder / "worker.log").open("wb"))
        yield [stack.enter_context(_worker(place, slots, out)) for _ in range(WORKERS[kind])]


@contextmanager
def _worker(place: Installation, slots: str, out: BinaryIO) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "keyturn", "worker"]
    environ = {**place.environ, "KEYTURN_CONCURRENCY": slots}
    with subprocess.Popen(command, env=environ, cwd=ROOT, stdout=out, stderr=out) as child:
        try:
            yield child
        finally:
            child.kill()


def _wait_until_rotated(place: Installation, children: list[subprocess.Popen[bytes]], count: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        time.sleep(1)
        if any(child.poll() is not None for child in children):
            break
        with place.core.database.read() as tx:
            open_runs = tx.one(sa.select(sa.func.count()).select_from(runs).where(runs.c.finished_at.is_(None)))
            busy = sa.select(sa.func.count()).select_from(credentials).where(credentials.c.state.not_in(AT_REST))
            unfinished = tx.one(busy)
            ended = tx.one(sa.select(sa.func.count()).select_from(runs).where(runs.c.state == "succeeded"))
        if (open_runs, unfinished) == ({"count_1": 0}, {"count_1": 0}) and ended == {"count_1": count}:
            return
    raise SystemExit("the rotations did not end:\n" + (place.folder / "worker.log").read_text()[-2000:])


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    print(measure(sys.argv[1], int(sys.argv[2])))
