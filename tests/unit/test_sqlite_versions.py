"""Which SQLite is new enough, and what an older one is given."""

import sqlite3
import time
from contextlib import closing

import pytest

from keyturn.db.sqlite import add_functions, require_version
from keyturn.errors import Misconfigured


@pytest.mark.parametrize("version", [(3, 35, 0), (3, 40, 1), (4, 0, 0)])
def test_new_enough(version: tuple[int, ...]) -> None:
    require_version(version)


def test_one_that_is_too_old_is_named_with_the_least_and_the_way_out() -> None:
    with pytest.raises(Misconfigured) as caught:
        require_version((3, 34, 1))
    assert "SQLite 3.34.1" in caught.value.message
    assert "3.35" in caught.value.message
    assert "DB_CONNECTION_URI" in caught.value.diagnostics()


def test_fractions_of_a_second_are_known_whatever_the_version() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        add_functions(connection)
        connection.execute("CREATE TABLE t (id INTEGER, at BIGINT NOT NULL DEFAULT (unixepoch('subsec') * 1000))")
        connection.execute("INSERT INTO t (id) VALUES (1)")
        [at] = connection.execute("SELECT at FROM t").fetchone()
        [whole] = connection.execute("SELECT unixepoch()").fetchone()
    assert abs(at - time.time() * 1000) < 60_000
    assert abs(whole - time.time()) < 60
