"""What is wrong with the database is said in words, with the advice that fits: at a start, by ``doctor``, to callers."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from keyturn.app import startup
from keyturn.cli.checkup import examine
from keyturn.cli.context import CommandContext
from keyturn.db import trouble
from keyturn.db.engine import parse_url
from keyturn.db.tables import data_keys
from keyturn.db.trouble import at_start, can_lock, explain, share_of, trouble_of
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured
from tests.databases import postgres_database, sqlite_database
from tests.features.boot.starting import CLOCK, start
from tests.features.boot.test_doctor import Answers

Break = Callable[[Database], None]


def every_connection(database: Database, pragma: str) -> None:
    event.listen(database.engine, "checkout", lambda connection, *_: connection.execute(pragma))


def fill(database: Database) -> None:
    """Leave no page to write to: the file may not grow, and what it has is used up."""
    with database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    every_connection(database, f"PRAGMA max_page_count={pages}")


def grow(database: Database) -> None:
    with database.write() as tx:
        for number in range(300):
            tx.run(
                sa.insert(data_keys).values(id=f"{number}", root_key_id="x" * 999, wrapped="x", created_at=CLOCK.now())
            )


def failing(database: Database, work: Callable[[Database], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what the test is about
        work(database)
    return caught.value


@pytest.mark.parametrize(
    ("breaks", "work", "code", "advice"),
    [
        (fill, grow, "database.full", "Free some space"),
        (lambda db: every_connection(db, "PRAGMA query_only=ON"), grow, "database.read_only", "writable"),
    ],
)
def test_a_disk_that_takes_nothing(
    tmp_path: Path, breaks: Break, work: Callable[[Database], object], code: str, advice: str
) -> None:
    with sqlite_database(tmp_path) as database:
        breaks(database)
        error = failing(database, work)
        start_error, request_error = at_start(error, database.engine.url), explain(error)
    assert start_error is not None
    assert request_error is not None
    assert (start_error.code, request_error.code, request_error.status) == (code, code, 503)
    assert advice in start_error.diagnostics()
    assert "DB_CONNECTION_URI (or" not in start_error.diagnostics()
    assert "xxxx" not in str(error), "values of a statement are in no error"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program that has the database for itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_a_database_that_another_program_holds(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        with locked(tmp_path / "keyturn.db"):
            error = failing(database, lambda db: db.check_writable(0.1))
        database.check_writable(10)
    start_error = at_start(error, database.engine.url)
    assert start_error is not None
    assert (start_error.code, str(tmp_path) in start_error.message) == ("database.locked", True)
    assert "lsof" in start_error.diagnostics()


def test_a_writer_does_not_queue_for_ever_behind_the_others_of_its_process(tmp_path: Path) -> None:
    inside, done = threading.Event(), threading.Event()
    with sqlite_database(tmp_path) as database:

        def hold() -> None:
            with database.write():
                inside.set()
                done.wait(60)

        other = threading.Thread(target=hold)
        other.start()
        inside.wait(60)
        error = failing(database, lambda db: db.check_writable(0.1))
        done.set()
        other.join()
        database.check_writable(10)
    request_error = explain(error)
    assert request_error is not None
    assert (request_error.code, request_error.retry_after.total_seconds() > 0) == ("database.busy", True)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    variables = {"KEYTURN_DATA_DIR": str(tmp_path / "data"), "PORT": "0"}
    start(variables)
    return variables


def damage_head(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def damage_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xff\xfe" * 100
    path.write_bytes(content)


def damage_schema(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * 3996 + content[4096:])


@pytest.mark.parametrize("damage", [damage_head, damage_pages, damage_schema])
def test_a_damaged_file_is_named_by_start_and_doctor(environ: dict[str, str], damage: Callable[[Path], None]) -> None:
    damage(Path(environ["KEYTURN_DATA_DIR"]) / "keyturn.db")
    failures = [each for each in examine(CommandContext(environ, CLOCK), lambda _: Answers()) if each.level == "fail"]
    assert any("damaged" in each.message for each in failures), failures
    assert any("backup" in each.fix for each in failures), failures
    if damage is not damage_pages:  # which of them a start reads is another matter
        with pytest.raises(Misconfigured, match="damaged") as caught:
            start(environ)
        assert "backup" in caught.value.diagnostics()


def test_tables_that_are_not_those_of_their_version_are_named(environ: dict[str, str]) -> None:
    with closing(sqlite3.connect(Path(environ["KEYTURN_DATA_DIR"]) / "keyturn.db")) as file, file as connection:
        connection.execute("ALTER TABLE rotations DROP COLUMN credential_kind")
        connection.execute("DROP TABLE observed_keys")
    with pytest.raises(Misconfigured, match=r"lacks observed_keys\.\w+, observed_keys\.\w+, .* and \d+ more") as caught:
        start(environ)
    assert caught.value.code == "database.tables"
    findings = {each.subject: each for each in examine(CommandContext(environ, CLOCK), lambda _: Answers())}
    assert "lacks" in findings["database"].message


@pytest.mark.postgres
def test_postgresql_that_takes_no_writes_or_takes_too_long() -> None:
    with postgres_database() as database:
        own = Database(
            startup.open_engine(
                database.engine.url.update_query_dict({"options": "-c default_transaction_read_only=on"})
            )
        )
        error = failing(own, lambda db: db.check_writable(1))
        start_error = at_start(error, own.engine.url)
        own.close()
        slow = failing(database, sleeping)
    assert start_error is not None
    assert (start_error.code, "primary" in start_error.diagnostics()) == ("database.read_only", True)
    request_error = explain(slow)
    assert request_error is not None
    assert request_error.code == "database.busy"


def sleeping(database: Database) -> None:
    with database.read() as tx:
        tx.connection.exec_driver_sql("SET LOCAL statement_timeout = 20")
        tx.connection.exec_driver_sql("SELECT pg_sleep(60)")


def test_a_connection_that_breaks_at_the_commit_leaves_the_outcome_open() -> None:
    error = sa.exc.OperationalError("COMMIT", {}, psycopg.OperationalError("server closed the connection"))
    away = trouble_of(error)
    error.add_note(trouble.COMMITTING)
    unknown = trouble_of(error)
    assert away is not None
    assert unknown is not None
    assert (away.code, unknown.code) == ("database.unreachable", "database.outcome_unknown")


def sqlite_error(code: int) -> sa.exc.OperationalError:
    cause = sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorcode = code
    return sa.exc.OperationalError("SELECT", {}, cause)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (10 | 21 << 8, "database.network_share"),  # no shared mapping
        (10 | 15 << 8, "database.network_share"),  # no locks
        (15, "database.network_share"),
        (10 | 4 << 8, "database.disk"),  # fsync
        (14, "database.unopened"),
        (11, "database.damaged"),
        (26, "database.damaged"),
    ],
)
def test_codes_of_sqlite(code: int, expected: str, tmp_path: Path) -> None:
    start_error = at_start(sqlite_error(code), parse_url(f"sqlite:///{tmp_path}/keyturn.db"))
    assert start_error is not None
    assert start_error.code == expected
    assert str(tmp_path) in start_error.message


def test_mistakes_of_the_code_and_refused_rows_are_no_trouble_of_the_database(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:

        def ask(statement: str) -> Any:
            with database.write() as tx:
                return tx.connection.exec_driver_sql(statement)

        for statement in ("SELEC 1", "INSERT INTO data_keys (id) VALUES ('1')"):
            assert trouble_of(failing(database, lambda _, statement=statement: ask(statement))) is None
    assert trouble_of(ValueError("x")) is None
    assert trouble_of(UnicodeDecodeError("utf-8", b"", 0, 1, "x")) is None


def test_a_local_folder_is_no_network_share(tmp_path: Path) -> None:
    assert share_of(tmp_path) is None
    assert can_lock(tmp_path)
