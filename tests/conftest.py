"""Fixtures and settings that all suites share."""

import gc

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import database  # noqa: F401 - a fixture: pytest finds it by its name here
from tests.simulation.seeds import base_seed, draw_base_seed

# A busy machine is no fault of the code under test.
settings.register_profile("keyturn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("keyturn")


LONGEST = ("kill", "crash", "simulation", "browser", "system", "engine")
"""Folders with the longest tests, which begin first: else the last one runs alone while everybody else has nothing left."""


def pytest_configure() -> None:
    draw_base_seed()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """What has been loaded stays: looking through all of it again and again for garbage takes a fifth of the run's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_report_header() -> str:
    return f"simulation: seeds from {base_seed()}"
