"""Which seeds a run of the tests plays: forty fixed ones, or others by ``KEYTURN_SIM_BASE``; ``make seeds`` plays fresh ones."""

import os

BATCH = 5
BATCHES = 8
FIXED = 60_055


def base_seed() -> int:
    """Return the first seed."""
    return int(os.environ.get("KEYTURN_SIM_BASE", FIXED))
