"""Which seeds a run of the tests plays: fresh ones, the same for all its processes."""

import os

BATCH = 20
BATCHES = 25


def base_seed() -> int:
    """Return the first seed. tests/simulation/conftest.py chooses it before the processes of the run are started."""
    return int(os.environ["KEYTURN_SIM_BASE"])
