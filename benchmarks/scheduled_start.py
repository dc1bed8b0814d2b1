"""How long after its moment a scheduled rotation starts, on a genuine server over many rotations that are due in turn."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from benchmarks.measured import Measured
from benchmarks.throughput import scene
from keyturn.db.tables import rotations, runs
from tests.system.installation import ROOT, Installation

ROTATIONS = 20
SPACING = timedelta(seconds=1)
LIMIT_SECONDS = 5.0
PATIENCE_SECONDS = 180


def measure(kind: str, count: int = ROTATIONS) -> Measured:
    """Let so many rotations come due, one each second, and return one line about when their runs began."""
    with tempfile.TemporaryDirectory() as folder, scene(Path(folder), kind) as place:
        for number in range(count):
            name = f"app-{number}"
            place.connect(place.application(name), name)
        with server(place) as child:
            _wait(place, child, count)
            moments = _schedule(place)
            _wait(place, child, 2 * count)
        late = _lateness(place, moments)
    worst = max(late)
    line = (
        f"scheduled start on {kind}: {len(late)} rotations began {statistics.median(late):.2f} s after their moment "
        f"(median), {worst:.2f} s at worst (limit {LIMIT_SECONDS:.0f} s)"
    )
    return Measured(line, worst <= LIMIT_SECONDS)


def _schedule(place: Installation) -> dict[str, datetime]:
    """Give every rotation a moment of its own, as its schedule would have; return them by rotation."""
    first = datetime.now(UTC) + timedelta(seconds=3)
    with place.core.database.write() as tx:
        found = [row["id"] for row in tx.rows(sa.select(rotations.c.id).order_by(rotations.c.id))]
        moments = {one: first + number * SPACING for number, one in enumerate(found)}
        for one, moment in moments.items():
            tx.run(sa.update(rotations).where(rotations.c.id == one).values(next_run_at=moment, wake_at=moment))
    return moments


def _lateness(place: Installation, moments: dict[str, datetime]) -> list[float]:
    with place.core.database.read() as tx:
        found = tx.rows(sa.select(runs.c.rotation_id, runs.c.started_at).where(runs.c.reason == "scheduled"))
        return [(row["started_at"] - moments[row["rotation_id"]]).total_seconds() for row in found]


@contextmanager
def server(place: Installation) -> Iterator[subprocess.Popen[bytes]]:
    """The genuine ``keyturn serve``."""
    log = place.folder / "server.log"
    command = [sys.executable, "-m", "keyturn", "serve", "--port", "0"]
    with log.open("wb") as out, subprocess.Popen(command, env=place.environ, cwd=ROOT, stdout=out, stderr=out) as child:
        try:
            yield child
        finally:
            child.terminate()


def _wait(place: Installation, child: subprocess.Popen[bytes], count: int) -> None:
    """Wait until so many runs have succeeded."""
    until = time.monotonic() + PATIENCE_SECONDS
    query = sa.select(sa.func.count().label("n")).select_from(runs).where(runs.c.state == "succeeded")
    while time.monotonic() < until and child.poll() is None:
        with place.core.database.read() as tx:
            row = tx.one(query)
        if row is not None and row["n"] >= count:
            return
        time.sleep(0.5)
    raise SystemExit("the rotations did not end:\n" + (place.folder / "server.log").read_text()[-2000:])
