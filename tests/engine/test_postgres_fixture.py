"""The shared test server itself: every test gets an empty database of its own."""

import psycopg
import pytest

from tests.postgres import fresh_database, postgres_url

pytestmark = pytest.mark.postgres


def test_each_database_is_empty_and_gone_afterwards() -> None:
    with fresh_database() as first, fresh_database() as second:
        assert first != second
        with psycopg.connect(first) as connection:
            connection.execute("CREATE TABLE t (x int)")
    with pytest.raises(psycopg.OperationalError), psycopg.connect(first):
        pass


def test_a_template_is_prepared_once() -> None:
    prepared = []

    def prepare(url: str) -> None:
        prepared.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE prepared (x int)")

    with psycopg.connect(postgres_url(), autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS fixture_template")
    for _ in range(2):
        with fresh_database(prepare, template="fixture_template") as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM prepared").fetchone() == (0,)
    assert len(prepared) == 1
