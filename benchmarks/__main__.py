"""Run all measurements, or those named: ``python -m benchmarks [start] [finder] [scheduled] [pages] [throughput] [tokens]``."""

import sys
from collections.abc import Callable, Mapping

from benchmarks import emulator_tokens, finder, pages, scheduled_start, start, throughput

KINDS = ("sqlite", "postgres")
ALL: Mapping[str, Callable[[], list[str]]] = {
    "start": lambda: [start.measure()],
    "finder": lambda: [finder.measure(kind) for kind in KINDS],
    "scheduled": lambda: [scheduled_start.measure(kind) for kind in KINDS],
    "pages": lambda: [pages.measure(kind) for kind in KINDS],
    "throughput": lambda: [throughput.measure(kind) for kind in KINDS],
    "tokens": lambda: [emulator_tokens.line()],
}

for name in sys.argv[1:] or ALL:
    for line in ALL[name]():
        print(line, flush=True)
