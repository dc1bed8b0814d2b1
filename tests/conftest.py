"""Fixtures that all suites share."""

from tests.databases import database  # noqa: F401 - a fixture: pytest finds it by its name here
