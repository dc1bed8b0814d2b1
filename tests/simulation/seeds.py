"""Which seeds a run of the tests plays: 50 fresh ones, or from ``KEYTURN_SIM_BASE`` on, and those that ever failed.

Fresh ones add up over the runs. ``make seeds`` plays 500 at once.
"""

import os
import secrets
from collections.abc import Sequence
from typing import TypeVar

BATCH = 10
BATCHES = 5
ONCE_BROKEN = (
    500363,
    78773840,
    307366513,
    307366708,
    410000329,
    509389760,
    510000841,
    26351996,
    565927234,
    567945567,
    567945982,
    610000756,
    720000109,
    731476426,
)
"""Seeds that found a defect, of the product or of the simulation: each is played in every run."""
_BASE = "KEYTURN_SIM_BASE"


def draw_base_seed() -> None:
    """Draw the first seed, once for all processes of a run of the tests."""
    os.environ.setdefault(_BASE, str(secrets.randbelow(1_000_000_000)))


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
