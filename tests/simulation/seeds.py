"""Which seeds a run of the tests plays: 500 that nobody has seen before, or from ``KEYTURN_SIM_BASE`` on."""

import os
import secrets

BATCH = 10
BATCHES = 50
_BASE = "KEYTURN_SIM_BASE"


def draw_base_seed() -> None:
    """Draw the first seed, once for all processes of a run of the tests."""
    os.environ.setdefault(_BASE, str(secrets.randbelow(1_000_000_000)))


def base_seed() -> int:
    """Return the first seed."""
    return int(os.environ[_BASE])
