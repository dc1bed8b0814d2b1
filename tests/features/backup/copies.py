"""A shell for the commands of backups, and what a database holds."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from keyturn.app.backups import private_keys
from keyturn.backup import age
from keyturn.backup.service import LEFT_OUT
from keyturn.cli.main import main
from keyturn.db import migrate, transfer
from keyturn.db.engine import open_engine, parse_url
from keyturn.db.unit import Database
from keyturn_simulation.world import ROOT_KEY
from tests.databases import with_chain_key
from tests.postgres import fresh_database


@dataclass
class Shell:
    """Runs commands and remembers what they printed."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    environ: dict[str, str] = field(default_factory=dict)
    out: str = ""
    err: str = ""

    def run(self, *arguments: object, **more: str) -> int:
        base = {"KEYTURN_DATA_DIR": str(self.folder / "data"), "ENCRYPTION_KEY": ROOT_KEY.hex()}
        status = main([str(each) for each in arguments], {**base, **self.environ, **more})
        self.out, self.err = self.capture.readouterr()
        return status

    def key(self) -> Path:
        """Make a key; backups are made for it from now on."""
        path = self.folder / "backup.key"
        assert self.run("backup", "key", path) == 0, self.err
        self.environ["KEYTURN_BACKUP_PUBLIC_KEYS"] = self.out.strip()
        return path

    def create(self, source: str, name: str = "made.age") -> Path:
        path = self.folder / name
        assert self.run("backup", "create", path, DB_CONNECTION_URI=source) == 0, self.err
        return path

    def restore(self, path: Path, target: str, *more: object) -> int:
        return self.run(
            "backup", "restore", path, "--key-file", self.folder / "backup.key", *more, DB_CONNECTION_URI=target
        )


def lines_of(made: Path, key: Path) -> list[str]:
    """What is inside of a backup."""
    with made.open("rb") as file:
        return gzip.decompress(b"".join(age.decrypt(file, private_keys(key)))).decode().splitlines(keepends=True)


def written(lines: list[str], key: Path, path: Path) -> Path:
    """Write a backup as somebody does who has the public key alone, with a right digest."""
    end = json.loads(lines[-1])
    body = "".join(lines[:-1]).encode()
    end["end"]["sha256"] = hashlib.sha256(body).hexdigest()
    with path.open("wb") as file:
        out = age.Encrypting(file, [private_keys(key)[0].public])
        out.write(gzip.compress(body + json.dumps(end).encode() + b"\n"))
        out.close()
    return path


def address(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


@contextmanager
def versioned(database: Database) -> Iterator[Database]:
    """Those of tests are made without migrations, and do not say of which version they are."""
    if migrate.current(database) is not None:
        yield database
        return
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {migrate.VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql(f"INSERT INTO {migrate.VERSION_TABLE} VALUES ('{migrate.newest()}')")
    try:
        yield database
    finally:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(f"DROP TABLE {migrate.VERSION_TABLE}")


@contextmanager
def empty(kind: str, folder: Path) -> Iterator[str]:
    """The address of a database in which nothing is yet."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'restored.db'}"
        return
    with fresh_database() as url:
        yield url


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = with_chain_key(Database(open_engine(parse_url(url))))
    try:
        yield database
    finally:
        database.close()


def content(database: Database, without: frozenset[str] = frozenset()) -> dict[str, list[str]]:
    """All rows of all tables that a backup has."""
    with transfer.snapshot(database) as tx:
        return {
            table.name: sorted(repr(list(row)) for row in table.rows) for table in transfer.read(tx, LEFT_OUT | without)
        }
