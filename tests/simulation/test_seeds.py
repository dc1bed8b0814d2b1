"""Two servers, users, foreign writers and every fault, on a virtual clock, from seeds that replay exactly.

A failing seed prints what happened and the command that replays it.
"""

import pytest

from keyturn_simulation.command import report
from keyturn_simulation.scenario import play
from tests.simulation.seeds import BATCH, BATCHES, ONCE_BROKEN, base_seed, share


@pytest.mark.parametrize("batch", range(BATCHES))
def test_fresh_seeds(batch: int) -> None:
    first = base_seed() + batch * BATCH
    for seed in range(first + (batch == 0), first + BATCH):  # the first of all is played below
        outcome = play(seed)
        assert outcome.broken is None, "\n" + report(outcome)


@pytest.mark.parametrize("seed", share(list(ONCE_BROKEN), 3))
def test_seeds_that_once_found_a_defect(seed: int) -> None:
    outcome = play(seed)
    assert outcome.broken is None, "\n" + report(outcome)


def test_a_seed_replays_exactly() -> None:
    first = base_seed()
    once, again = play(first), play(first)
    assert once.broken is None, "\n" + report(once)
    assert (once.fingerprint, once.length) == (again.fingerprint, again.length)
