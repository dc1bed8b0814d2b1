"""A server dies at any instant; when another has taken over and all is quiet, nothing is lost, leaked or left behind."""

import pytest

from tests.crash.matrix import SCENARIOS, die_at, points
from tests.databases import KINDS


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("kind", KINDS)
def test_death_at_every_instant(kind: str, scenario: str) -> None:
    instants = points(kind, scenario)
    moments = {point.moment for point in instants}
    assert moments == {"before the request", "before the answer", "before the commit", "after the commit"}
    for index in range(len(instants)):
        die_at(kind, scenario, index)
