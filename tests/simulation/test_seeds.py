"""Fresh seeds in every run: two servers, users, foreign writers and every fault, on a virtual clock.

A failing seed prints what happened and the command that replays it. ``KEYTURN_SIM_BASE`` repeats a whole run of the tests.
"""

import pytest

from keyturn_simulation.command import report
from keyturn_simulation.story import play
from tests.simulation.seeds import BATCH, BATCHES, base_seed

ONCE_BROKEN = (5, 17, 404, 2718, 31415)
"""Seeds that are always played, whatever the fresh ones are."""


@pytest.mark.parametrize("batch", range(BATCHES))
def test_fresh_seeds(batch: int) -> None:
    first = base_seed() + batch * BATCH
    for seed in range(first, first + BATCH):
        outcome = play(seed)
        assert outcome.broken is None, "\n" + report(outcome)


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_known_seeds(seed: int) -> None:
    outcome = play(seed)
    assert outcome.broken is None, "\n" + report(outcome)


def test_a_seed_replays_exactly() -> None:
    once, again = play(base_seed()), play(base_seed())
    assert (once.fingerprint, once.length) == (again.fingerprint, again.length)
