"""How long ``keyturn run`` takes until the program runs, with a copy and a server that is dead or never answers.

From the start of the interpreter to the first line of the program, which is a shell. Everything is in the page cache.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measured import Measured
from keyturn.client.cache import cache_file
from keyturn.client.domain import SecretSet, Source
from keyturn.client.settings import read_settings
from keyturn.kit.secret import Plaintext

ROUNDS = 15
LIMIT_MS = 350
COMMAND = str(Path(sys.executable).with_name("keyturn"))
PROGRAM = ["sh", "-c", 'test "$API_KEY" = one && read line < /proc/$PPID/stat && echo "$line"']
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def measure() -> list[Measured]:
    """Return a line for each kind of trouble."""
    with _swallowing() as silent, _refusing() as dead:
        return [_measure("a dead server", dead), _measure("a server that swallows what is sent", silent)]


def _measure(what: str, url: str) -> Measured:
    with tempfile.TemporaryDirectory() as home:
        environ = _environ(home, url)
        _keep_copy(environ)
        _start(environ)  # fills the page cache
        took, processor = zip(*(_start(environ) for _ in range(ROUNDS)), strict=True)
    median = statistics.median(took)
    line = (
        f"offline start with {what}: the program runs {median:.0f} ms after keyturn run began (median of {ROUNDS},"
        f" worst {max(took):.0f} ms; limit {LIMIT_MS}), {statistics.median(processor):.0f} ms of them on a processor"
    )
    return Measured(line, median <= LIMIT_MS)


def _environ(home: str, url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "KEYTURN_URL": url,
        "KEYTURN_CLIENT_ID": "bench",
        "KEYTURN_CLIENT_SECRET": "bench",
        "KEYTURN_PROJECT": "payments",
        "KEYTURN_ENVIRONMENT": "prod",
    }


def _keep_copy(environ: Mapping[str, str]) -> None:
    """Leave the copy that an earlier run would have left."""
    settings = read_settings(environ, {})
    source = Source("payments", "prod")
    copy = cache_file(settings, "universal-auth:bench", source, environ, print)
    assert copy is not None
    copy.save(SecretSet({"API_KEY": Plaintext("one")}, '"tag"', datetime.now(UTC)))


def _start(environ: Mapping[str, str]) -> tuple[float, float]:
    """Return milliseconds until the program ran, and for how many of them keyturn run had a processor."""
    began = time.perf_counter()
    with subprocess.Popen(
        [COMMAND, "run", "--", *PROGRAM], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        took = time.perf_counter() - began
    if not line:
        raise SystemExit("the program did not start")
    ticks = line.rpartition(")")[2].split()
    return took * 1000, (int(ticks[11]) + int(ticks[12])) * TICK_MS


@contextmanager
def _swallowing() -> Iterator[str]:
    """A server that accepts connections, as its kernel does for it, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def _refusing() -> Iterator[str]:
    """A port on which nobody listens, and which nobody else takes meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


if __name__ == "__main__":
    for measured in measure():
        print(measured)
