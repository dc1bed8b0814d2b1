"""Fixtures and settings that all suites share."""

from hypothesis import HealthCheck, settings

from tests.databases import database  # noqa: F401 - a fixture: pytest finds it by its name here
from tests.simulation.seeds import base_seed, draw_base_seed

# A busy machine is no fault of the code under test.
settings.register_profile("keyturn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("keyturn")


def pytest_configure() -> None:
    draw_base_seed()


def pytest_report_header() -> str:
    return f"simulation: seeds from {base_seed()}"
