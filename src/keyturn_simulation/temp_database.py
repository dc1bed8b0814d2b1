"""A throw-away SQLite file with all tables, that also logs which rows each transaction changed."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import event

from keyturn.db import triggers
from keyturn.db.engine import for_writing, open_engine, parse_url
from keyturn.db.tables import metadata
from keyturn.db.unit import Database

_LOG = """
CREATE TABLE simulated_changes (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, row_id TEXT NOT NULL);
CREATE TRIGGER simulated_1 AFTER INSERT ON credentials
    BEGIN INSERT INTO simulated_changes (kind, row_id) VALUES ('credential added', NEW.id); END;
CREATE TRIGGER simulated_2 AFTER UPDATE ON credentials
    BEGIN INSERT INTO simulated_changes (kind, row_id) VALUES ('credential changed', NEW.id); END;
CREATE TRIGGER simulated_3 AFTER INSERT ON runs
    BEGIN INSERT INTO simulated_changes (kind, row_id) VALUES ('run added', NEW.id); END;
CREATE TRIGGER simulated_4 AFTER INSERT ON app_connections
    BEGIN INSERT INTO simulated_changes (kind, row_id) VALUES ('connection', NEW.id); END;
CREATE TRIGGER simulated_5 AFTER UPDATE ON app_connections
    BEGIN INSERT INTO simulated_changes (kind, row_id) VALUES ('connection', NEW.id); END;
CREATE TRIGGER simulated_6 AFTER DELETE ON app_connections
    BEGIN INSERT INTO simulated_changes (kind, row_id) VALUES ('connection', OLD.id); END;
CREATE TRIGGER simulated_7 AFTER INSERT ON conversions
    BEGIN INSERT INTO simulated_changes (kind, row_id) VALUES ('conversion', NEW.id); END;
CREATE TRIGGER simulated_8 AFTER UPDATE ON conversions
    BEGIN INSERT INTO simulated_changes (kind, row_id) VALUES ('conversion', NEW.id); END;
"""
"""Written by triggers, so that no change of the product's can be forgotten here."""


class _Place:
    """Where all seeds of this process are played, one after another: what was compiled for one serves the next."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="keyturn-simulation-")
        self.folder = Path(self._folder.name)
        self.path = self.folder / "keyturn.db"
        self.engine = open_engine(parse_url(f"sqlite:///{self.path}"), pool_size=2)
        event.listen(self.engine, "connect", _do_not_wait_for_the_disk)

    def clear(self) -> None:
        self.engine.dispose()
        for path in self.folder.iterdir():
            path.unlink()


_place = cache(_Place)


@contextmanager
def scratch_database() -> Iterator[tuple[Path, Database, sqlite3.Connection]]:
    """Yield a folder with an empty database, and a second connection to it for the judge. One at a time in a process."""
    place = _place()
    place.clear()
    place.path.write_bytes(_template())
    raw = sqlite3.connect(place.path, isolation_level=None)
    try:
        yield place.folder, Database(place.engine), raw
    finally:
        raw.close()
        place.clear()


def _do_not_wait_for_the_disk(connection: Any, _record: Any) -> None:
    # What dies in a simulation is the process, never the machine.
    connection.execute("PRAGMA synchronous=OFF")


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        engine = open_engine(parse_url(f"sqlite:///{path}"))
        with engine.connect() as connection, for_writing(connection).begin():
            metadata.create_all(connection)
            for statement in triggers.statements("sqlite"):
                connection.exec_driver_sql(statement)
        engine.dispose()
        with sqlite3.connect(path) as plain:
            plain.executescript(_LOG)
        plain.close()  # the last one out folds the write-ahead log into the file
        return path.read_bytes()
