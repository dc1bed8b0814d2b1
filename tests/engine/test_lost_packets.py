"""Flows to PostgreSQL vanish without a word: the packets are lost, in both directions. The process is back at work soon."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from keyturn.db.unit import Database
from tests.databases import postgres_database
from tests.engine.rows import make_rotation, process_ids
from tests.networks import Space, missing, space

ROOT = Path(__file__).parents[2]
SOON = 90
"""Seconds on a slow machine; 20 on one that is not. Without limits it is more than 900."""


@contextmanager
def worker(database: Database, place: Space) -> Iterator[subprocess.Popen[str]]:
    address = database.engine.url.set(host=place.host, port=place.port).render_as_string(hide_password=False)
    with subprocess.Popen(
        place.command(sys.executable, "-m", "tests.engine.worker", address, "work"),
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def await_line(stream: IO[str] | None, line: str) -> None:
    assert stream is not None
    for output in stream:
        if output.strip() == line:
            return
    raise AssertionError(f"the worker ended without saying {line!r}")


@pytest.mark.postgres
@pytest.mark.slow
def test_a_worker_whose_flows_vanish_is_back_at_work_soon() -> None:
    why = missing()
    if why:
        pytest.skip(why)
    with (
        postgres_database() as database,
        space(database.engine.url.port or 5432) as place,
        worker(database, place) as child,
    ):
        await_line(child.stdout, "ready")
        make_rotation(database, "before", datetime.now(UTC))
        await_line(child.stdout, "end before")
        [me] = process_ids(database)
        assert place.lose_packets() > 0
        began = time.monotonic()
        make_rotation(database, "after", datetime.now(UTC))
        await_line(child.stdout, "end after")
        took = time.monotonic() - began
        print(f"back at work after {took:.1f} s")
        assert took < SOON
        assert process_ids(database) == {me}, "it is the same process, and nobody took it for dead"
