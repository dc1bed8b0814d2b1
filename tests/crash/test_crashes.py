"""A server dies at any instant; when another has taken over and all is quiet, nothing is lost, leaked or left behind.

Every third instant, others with each run, and of the rotation of other applications every twelfth; on PostgreSQL only around
commits, as at the moments of a request the database takes no part, and of these every fourth, or sixteenth. ``make crash`` tries
all on both.
"""

from collections.abc import Iterator

import pytest

from tests.crash.matrix import OF_APPLICATIONS, SCENARIOS, CrashBench, ground
from tests.databases import KINDS
from tests.simulation.seeds import base_seed

THIRD, FOURTH = 3, 4


@pytest.fixture(scope="module", params=KINDS)
def here(request: pytest.FixtureRequest) -> Iterator[CrashBench]:
    with ground(request.param) as opened:
        yield opened


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_death_at_every_instant(here: CrashBench, scenario: str) -> None:
    instants = here.points(scenario)
    moments = {point.moment for point in instants}
    assert moments == {"before the request", "before the answer", "before the commit", "after the commit"}
    commits = [index for index, point in enumerate(instants) if point.moment.endswith("the commit")]
    # Those of applications have generations behind them at first, which takes three times as long.
    parts = 4 if SCENARIOS[scenario][0] in OF_APPLICATIONS else 1
    share = (THIRD if here.kind == "sqlite" else FOURTH) * parts
    among = list(range(len(instants))) if here.kind == "sqlite" else commits
    for index in among[base_seed() % share :: share]:
        here.die_at(scenario, index)
