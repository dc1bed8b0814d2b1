"""Fixtures and settings that all suites share."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import database  # noqa: F401 - a fixture: pytest finds it by its name here

# A busy machine is no fault of the code under test.
settings.register_profile("keyturn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("keyturn")

# Fresh seeds for the simulation, chosen once: the processes that pytest-xdist starts inherit them.
os.environ.setdefault("KEYTURN_SIM_BASE", str(int.from_bytes(os.urandom(4))))


def pytest_report_header(config: pytest.Config) -> str:
    """Say how to repeat this run's simulation."""
    return f"simulation: KEYTURN_SIM_BASE={os.environ['KEYTURN_SIM_BASE']}"
