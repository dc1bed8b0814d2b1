"""An older copy of the database is put back at the end of a seed: nothing dead is handed out, nothing foreign goes."""

from keyturn_simulation.old_copies import play_old_copy
from tests.simulation.seeds import base_seed, every_case

APPLICATIONS_EVERY = 4
"""Of so many seeds one has secrets of applications, which readers are given."""


def test_an_old_copy_that_is_put_back_harms_nobody_and_heals() -> None:
    first = base_seed() // APPLICATIONS_EVERY * APPLICATIONS_EVERY + 2
    seeds = range(first, first + (60 if every_case() else 1) * APPLICATIONS_EVERY, APPLICATIONS_EVERY)
    outcomes = [play_old_copy(seed) for seed in seeds]
    assert [outcome for outcome in outcomes if outcome.broken] == []
