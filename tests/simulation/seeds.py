"""Which seeds a run of the tests plays: fifty fixed ones, or others by ``KEYTURN_SIM_BASE``; ``make seeds`` plays fresh ones."""

import os

BATCH = 5
BATCHES = 10
FIXED = 60_050


def base_seed() -> int:
    """Return the first seed."""
    return int(os.environ.get("KEYTURN_SIM_BASE", FIXED))
