"""Fixtures and settings that all suites share."""

import gc
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.databases import database, migrated_in_one_go  # noqa: F401 - a fixture: pytest finds it by its name here
from tests.simulation.seeds import base_seed, choose_base_seed, every_case

# A busy machine is no fault of the code under test.
settings.register_profile("keyturn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("keyturn")


ORDER = ("kill", "crash", "simulation", "browser", "system", "engine")
"""Folders with the longest tests, which begin first: else the last one runs alone while everybody else has nothing left."""
APART = frozenset({"kill", "crash", "simulation", "engine"})
"""Folders whose tests are handed out one by one. Other files go whole to one process, which sets up once what they share."""


class FileByFile(LoadScopeScheduling):
    """Give the next file, or the next test of a folder apart, to whichever process has nothing left to do."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return nodeid if file.split("/")[1] in APART or file.endswith("test_pythons.py") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileByFile:
    config.option.loadscopereorder = False
    return FileByFile(config, log)


def pytest_configure() -> None:
    choose_base_seed()


@pytest.fixture(scope="session", autouse=True)
def _embedded_databases() -> Iterator[None]:
    with migrated_in_one_go():
        yield


def one_case_on_postgres(items: list[pytest.Item]) -> set[pytest.Item]:
    """Return the cases that are not played on PostgreSQL this time.

    All are played on SQLite. Of a test with several cases one is played on PostgreSQL, too, another with each run. Of the
    tests of features, which say the same of both databases, a sixth are played there, another sixth with the next run.
    """
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        callspec = getattr(item, "callspec", None)
        if item.get_closest_marker("alternates"):
            continue  # of these one case is played, on whichever database
        if callspec and callspec.params.get("database") == "postgres":
            cases[item.nodeid.split("[", 1)[0]].append(item)
    others = {item for each in cases.values() for item in each if item is not each[base_seed() % len(each)]}
    features = [each for name, each in cases.items() if name.startswith("tests/features/")]
    return others.union(*(each for number, each in enumerate(features) if (number - base_seed()) % 6))


def one_case_of_long_ones(items: list[pytest.Item]) -> set[pytest.Item]:
    """Return the cases of tests marked ``alternates`` that are not played this time: another one is with each run.

    Tests whose marks have the same argument alternate with each other.
    """
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if mark := item.get_closest_marker("alternates"):
            cases[mark.args[0] if mark.args else item.nodeid.split("[", 1)[0]].append(item)
    return {item for each in cases.values() for item in each if item is not each[base_seed() % len(each)]}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not every_case():
        others = one_case_on_postgres(items) | one_case_of_long_ones(items)
        config.hook.pytest_deselected(items=[item for item in items if item in others])
        items[:] = [item for item in items if item not in others]

    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return ORDER.index(folder) if folder in ORDER else len(ORDER)

    items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Nothing that is loaded meanwhile is garbage: looking for it takes a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """What has been loaded stays: looking through all of it again and again for garbage takes a fifth of the run's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_report_header() -> str:
    return f"simulation: seeds from {base_seed()}"
