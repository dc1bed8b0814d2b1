"""The migrations themselves are tried here, one after the other."""

from collections.abc import Iterator

import pytest

from tests.databases import migrated_step_by_step


@pytest.fixture(scope="module", autouse=True)
def _embedded_databases() -> Iterator[None]:
    with migrated_step_by_step():
        yield
