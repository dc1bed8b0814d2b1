"""A database for the tests of channels."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.db.unit import Database
from tests.databases import sqlite_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with sqlite_database(tmp_path) as opened:
        yield opened
