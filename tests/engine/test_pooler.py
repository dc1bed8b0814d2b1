"""Behind PgBouncer in transaction mode: nothing may be left in a session, as the next transaction runs in another one."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.db import migrate
from keyturn.db.engine import open_engine, parse_url
from keyturn.db.unit import Database
from keyturn.engine.dbos import DbosEngine
from keyturn.engine.due import Finder
from keyturn.engine.sources import Sources
from keyturn.kit.clock import SystemClock
from keyturn.rotations.due import DueRotations
from tests.databases import postgres_database
from tests.engine.rows import make_rotation, wake_of
from tests.engine.sealing import CODEC
from tests.engine.test_dbos import Work
from tests.pooler import missing, pooled
from tests.postgres import fresh_database

pytestmark = pytest.mark.postgres
ONE = sa.text("SELECT :number + 0 AS one")
LIMITS = (
    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
    " current_setting('idle_in_transaction_session_timeout')"
)


@pytest.fixture
def pooler() -> Iterator[str]:
    """The address of an empty database, behind a pooler with three sessions."""
    why = missing()
    if why:
        pytest.skip(why)
    with fresh_database() as url, tempfile.TemporaryDirectory() as folder, pooled(url, Path(folder)) as address:
        yield address


def opened(address: str) -> Database:
    return Database(open_engine(parse_url(address)))


def limits_of(database: Database) -> tuple[str, ...]:
    with database.engine.begin() as connection:
        return tuple(connection.exec_driver_sql(LIMITS).one())


def test_a_fresh_database_is_set_up_read_and_written_by_many_threads(pooler: str) -> None:
    database = opened(pooler)
    migrate.upgrade(database)

    def ask(number: int) -> int:
        with database.read() as tx:
            return int((tx.one(ONE, number=number) or {})["one"])

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(ask, range(300))) == list(range(300))
    with database.engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        assert driver.prepare_threshold is None, "the pooler was noticed"
    assert limits_of(database) == ("15s", "10s", "15s")
    database.close()


def test_rotations_are_worked_on(pooler: str) -> None:
    database, clock, work = opened(pooler), SystemClock(), Work()
    migrate.upgrade(database)
    engine = DbosEngine(parse_url(pooler), "me", 4, CODEC, clock)
    sources = Sources([DueRotations(work)])
    finder = Finder(database, clock, engine, sources, 4, timedelta(seconds=1))
    names = [f"r{number}" for number in range(30)]
    for name in names:
        make_rotation(database, name, datetime.now(UTC))
    engine.start(sources.do)
    try:
        while len(work.done) < len(names):
            before = len(work.done)  # some may be done before the tick returns
            finder.tick()
            work.await_done(min(before + 1, len(names)))
    finally:
        engine.stop(timedelta(seconds=30))
    assert sorted(work.done) == sorted(names)
    assert all(wake_of(database, name) is not None for name in names), "claimed, and nobody has set them since"
    database.close()


def test_without_a_pooler_statements_are_prepared_and_limits_belong_to_the_session() -> None:
    with postgres_database() as database:
        with database.engine.connect() as connection:
            assert connection.connection.dbapi_connection is not None
            assert connection.connection.dbapi_connection.prepare_threshold is not None
        assert limits_of(database) == ("15s", "10s", "15s")


def test_what_the_address_sets_stays() -> None:
    with postgres_database() as database:
        url = database.engine.url.update_query_dict(
            {"options": "-c statement_timeout=3s", "connect_timeout": "2", "tcp_user_timeout": "7000"}
        )
        own = Database(open_engine(url))
        assert limits_of(own) == ("3s", "10s", "15s")
        with own.engine.connect() as connection:
            driver = connection.connection.dbapi_connection
            assert driver is not None
            parameters = driver.info.get_parameters()
        assert (parameters["connect_timeout"], parameters["tcp_user_timeout"], parameters["keepalives_idle"]) == (
            "2",
            "7000",
            "5",
        )
        own.close()
