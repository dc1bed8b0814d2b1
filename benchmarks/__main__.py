"""Run all measurements, or those named, e.g. ``python -m benchmarks start secrets``.

Exit status 1 when one of them misses the limit that it names: the machine should have nothing else to do. To publish what was
measured: ``cp build/bench.json benchmarks/results.json``, then ``make docs``.
"""

import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
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
ALL: Mapping[str, Callable[[], Iterable[Measured]]] = {
    "start": lambda: [start.measure()],
    "finder": lambda: [finder.measure(kind) for kind in KINDS],
    "scheduled": lambda: [scheduled_start.measure(kind) for kind in KINDS],
    "pages": lambda: [pages.measure(kind) for kind in KINDS],
    "paint": lambda: [paint.measure()],
    "throughput": lambda: [throughput.measure(kind) for kind in KINDS],
    "machines": lambda: [machine_sign_ins.measure(kind) for kind in KINDS],
    "secrets": lambda: [line for kind in KINDS for line in secrets.measure(kind)],
    "reads": reads.measure,
    "inventory": inventory.measure,
    "create": lambda: [create_rotation.measure(kind) for kind in KINDS],
    "waiters": waiters.measure,
    "change": change_to_use.measure,
    "herd": herd.measure,
    "offline": offline_start.measure,
    "scrapes": lambda: [scrapes.measure(kind) for kind in KINDS],
    "tokens": lambda: [emulator_tokens.measure()],
}


def main(names: list[str]) -> int:
    """Print each line as soon as it is measured, and leave all of them in ``build/bench.json``."""
    missed, results = 0, dict[str, list[str]]()
    for name in names or ALL:
        for measured in ALL[name]():
            print(measured, flush=True)
            missed += not measured.kept
            results.setdefault(name, []).append(str(measured))
    write(results)
    return 1 if missed else 0


def write(results: Mapping[str, list[str]], path: Path = RESULTS) -> None:
    """Write what was measured: the same form as ``benchmarks/results.json``, of which the page of numbers is made."""
    machine = f"{os.cpu_count()} cores; Python {platform.python_version()}"
    kept = {"measuredOn": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, "results": results}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
