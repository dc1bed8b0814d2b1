"""How long a server takes to be ready, over importing its four largest parts alone; and how much memory it then holds."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measured import Measured

ROUNDS = 5
LIMIT = 1.5
"""Of the four parts: a web framework is not among them, so they are imported in less time than a server of others needs."""
MEMORY_LIMIT_MB = 150
IMPORTS = "import granian, sqlalchemy, dbos, msal"


def measure() -> Measured:
    """Start a server on an existing data folder and import the parts, in turn; return one line about both."""
    with tempfile.TemporaryDirectory() as folder:
        _serve(folder)  # the first start makes database and key
        ready, alone, memory = [], [], 0.0
        for _ in range(ROUNDS):
            seconds, memory = _serve(folder)
            ready.append(seconds)
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", IMPORTS], check=True)
            alone.append(time.perf_counter() - began)
    ratio = statistics.median(ready) / statistics.median(alone)
    kept = ratio <= LIMIT and memory <= MEMORY_LIMIT_MB
    line = (
        f"start: ready in {statistics.median(ready):.2f} s, {ratio:.2f} x importing granian, sqlalchemy, dbos and msal "
        f"(limit {LIMIT}); {memory:.0f} MB resident (limit {MEMORY_LIMIT_MB})"
    )
    return Measured(line, kept)


def _serve(folder: str) -> tuple[float, float]:
    environ = {"HOME": folder, "PATH": os.environ["PATH"], "KEYTURN_DATA_DIR": folder}
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "keyturn", "serve", "--port", "0"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert child.stdout is not None
        while not child.stdout.readline().startswith("Keyturn is ready"):
            pass
        seconds = time.perf_counter() - began
        time.sleep(1)
        status = Path(f"/proc/{child.pid}/status").read_text(encoding="ascii")
        kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return seconds, kilobytes / 1024
    finally:
        child.terminate()
        child.wait()
