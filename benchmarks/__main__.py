"""Run all measurements, or those named, e.g. ``python -m benchmarks start secrets``, each part in a process of its own: threads
and memory that one leaves behind would be counted to the next.

Exit status 1 when one of them misses the limit that it names: the machine should have nothing else to do. To publish what was
measured: ``cp build/bench.json benchmarks/results.json``, then ``make docs``.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks import (
    change_to_use,
    create_rotation,
    emulator_tokens,
    finder,
    herd,
    inventory,
    machine_sign_ins,
    offline_start,
    pages,
    paint,
    reads,
    scheduled_start,
    scrapes,
    secrets,
    start,
    throughput,
    waiters,
)
from benchmarks.measured import Measured

RESULTS = Path(__file__).parents[1] / "build" / "bench.json"
KINDS = ("sqlite", "postgres")
Part = Callable[[], Measured | Iterable[Measured]]


def _of_both(measure: Callable[[str], Measured | Iterable[Measured]]) -> list[Part]:
    return [partial(measure, kind) for kind in KINDS]


ALL: Mapping[str, Sequence[Part]] = {
    "start": [start.measure],
    "finder": _of_both(finder.measure),
    "scheduled": _of_both(scheduled_start.measure),
    "pages": _of_both(pages.measure),
    "paint": [paint.measure],
    "throughput": _of_both(throughput.measure),
    "machines": _of_both(machine_sign_ins.measure),
    "secrets": _of_both(secrets.measure),
    "reads": [reads.measure],
    "inventory": [inventory.measure],
    "create": _of_both(create_rotation.measure),
    "waiters": [waiters.measure],
    "change": [change_to_use.measure],
    "herd": [herd.measure],
    "offline": [offline_start.measure],
    "scrapes": _of_both(scrapes.measure),
    "tokens": [emulator_tokens.measure],
}
_PART = "--part"


def main(names: list[str]) -> int:
    """Print the lines of each part as soon as it is measured, and leave all of them in ``build/bench.json``."""
    missed, results = 0, dict[str, list[str]]()
    for name in names or ALL:
        for number in range(len(ALL[name])):
            for measured in _measured(name, number):
                print(measured, flush=True)
                missed += not measured.kept
                results.setdefault(name, []).append(str(measured))
    write(results)
    return 1 if missed else 0


def _measured(name: str, number: int) -> list[Measured]:
    """Return the lines of one part. Raises CalledProcessError when it fails."""
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run([sys.executable, "-m", "benchmarks", _PART, name, str(number), file.name], check=True)
        return [Measured(*each) for each in json.loads(file.read())]


def _measure(name: str, number: str, file: str) -> int:
    """Measure one part in this process, and leave its lines in the file."""
    found = ALL[name][int(number)]()
    Path(file).write_text(json.dumps([found] if isinstance(found, Measured) else list(found)))
    return 0


def write(results: Mapping[str, list[str]], path: Path = RESULTS) -> None:
    """Write what was measured: the same form as ``benchmarks/results.json``, of which the page of numbers is made."""
    machine = f"{os.cpu_count()} cores; Python {platform.python_version()}"
    kept = {"measuredOn": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, "results": results}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(_measure(*sys.argv[2:]) if sys.argv[1:2] == [_PART] else main(sys.argv[1:]))
