"""A server dies at any instant; when another has taken over and all is quiet, nothing is lost, leaked or left behind.

On PostgreSQL only around commits: at the moments of a request the database takes no part. ``make crash`` tries all on both.
"""

from collections.abc import Iterator

import pytest

from tests.crash.matrix import SCENARIOS, Ground, ground
from tests.databases import KINDS


@pytest.fixture(scope="module", params=KINDS)
def here(request: pytest.FixtureRequest) -> Iterator[Ground]:
    with ground(request.param) as opened:
        yield opened


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_death_at_every_instant(here: Ground, scenario: str) -> None:
    instants = here.points(scenario)
    moments = {point.moment for point in instants}
    assert moments == {"before the request", "before the answer", "before the commit", "after the commit"}
    for index, point in enumerate(instants):
        if here.kind == "sqlite" or point.moment.endswith("the commit"):
            here.die_at(scenario, index)
