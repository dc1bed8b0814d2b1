"""A server dies at any instant; when another has taken over and all is quiet, nothing is lost, leaked or left behind.

Every twelfth instant, others with each run, and of the rotation of other applications every 48th; on PostgreSQL only around
commits, as at the moments of a request the database takes no part, and of these every 16th, or 64th. ``make crash`` tries
all on both.
"""

from collections.abc import Iterator

import pytest

from tests.crash.matrix import OF_APPLICATIONS, SCENARIOS, CrashBench, ground
from tests.databases import KINDS
from tests.simulation.seeds import base_seed

SHARES = {"sqlite": 12, "postgres": 16}


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
    share = SHARES[here.kind] * parts
    among = list(range(len(instants))) if here.kind == "sqlite" else commits
    for index in among[base_seed() % share :: share]:
        here.die_at(scenario, index)
