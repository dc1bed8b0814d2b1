"""Run all measurements, or those named, e.g. ``python -m benchmarks start secrets``.

Exit status 1 when one of them misses the limit that it names: the machine should have nothing else to do.
"""

import sys
from collections.abc import Callable, Iterable, Mapping

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
    """Print each line as soon as it is measured."""
    missed = 0
    for name in names or ALL:
        for measured in ALL[name]():
            print(measured, flush=True)
            missed += not measured.kept
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
