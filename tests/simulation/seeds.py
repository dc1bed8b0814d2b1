"""Which seeds a run of the tests plays: 20 of the commit, or from ``KEYTURN_SIM_BASE`` on, and a third of those that ever failed.

The same commit plays the same seeds, so that a run can be repeated, and those of all commits add up. ``make seeds`` plays 500 at
once that nobody has played.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

BATCH = 10
BATCHES = 2
ONCE_BROKEN = (
    176,
    500363,
    78773840,
    307366513,
    307366708,
    410000329,
    509389760,
    510000841,
    26351996,
    543604487,
    565927234,
    567945567,
    567945982,
    610000756,
    720000109,
    731476426,
    771000010,
    799639566,
    850100251,
    880001151,
    881000792,
    883000070,
    890001174,
)
"""Seeds that found a defect, of the product or of the simulation: a third of them is played in a run, another in the next."""
_BASE = "KEYTURN_SIM_BASE"


def choose_base_seed() -> None:
    """Choose the first seed, once for all processes of a run of the tests: by the content of the commit, 0 without git."""
    if _BASE in os.environ:
        return
    try:
        told = subprocess.run(
            ["git", "rev-parse", "HEAD^{tree}"], cwd=Path(__file__).parent, capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        os.environ[_BASE] = "0"
    else:
        os.environ[_BASE] = str(int(told.stdout[:12], 16) % 1_000_000_000)


def every_case() -> bool:
    """Whether tests with many cases play all of them, as in ``make crash``; else each run plays another share."""
    return bool(os.environ.get("KEYTURN_EVERY_CASE"))


Case = TypeVar("Case")


def share(cases: Sequence[Case], parts: int, shift: int = 0) -> Sequence[Case]:
    """Return this run's share of so many; all with KEYTURN_EVERY_CASE in the environment."""
    return cases if every_case() else cases[(base_seed() + shift) % parts :: parts]


def base_seed() -> int:
    """Return the first seed."""
    return int(os.environ[_BASE])
