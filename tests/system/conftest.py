"""The whole application in process, made once: every test leaves it as it found it."""

from collections.abc import Iterator

import pytest

from tests.system.estate import RunningServer, estate


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with estate(tmp_path_factory.mktemp("estate")) as server:
        yield server
