"""Backups made while applications are rotated, and restores that are killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keyturn.app.backups import private_keys, settle_restored
from keyturn.backup import service
from keyturn.backup.age import PublicKey
from keyturn.credentials.domain import State
from keyturn.crypto.keyring import Keyring
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db import migrate
from keyturn.db.unit import Database
from keyturn_simulation.world import ROOT_KEY
from tests.databases import KINDS, sqlite_database
from tests.features.backup.copies import Shell, address, empty, opened, versioned
from tests.features.backup.test_backup import lived
from tests.features.backup.test_healing import doctor
from tests.features.rotations.secret_desk import ALL, RotationClient, desk, make_application
from tests.postgres import fresh_database
from tests.simulation.seeds import every_case

SOURCE = GivenRoot(RootKeys(RootKey(ROOT_KEY)))


@contextmanager
def own_database(kind: str, folder: Path) -> Iterator[Database]:
    """A database that no other test gets: its tables are made anew."""
    if kind == "sqlite":
        with sqlite_database(folder) as database, versioned(database):
            yield database
        return
    with fresh_database() as url, opened(url) as database:
        migrate.upgrade(database)
        yield database


@pytest.mark.alternates
@pytest.mark.timeout(1800)  # 200 applications with every case
@pytest.mark.parametrize("kind", KINDS)
def test_copies_made_while_all_is_rotated_are_consistent_and_heal(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path, capsys)
    [key] = private_keys(shell.key())
    with own_database(kind, tmp_path) as database, desk(database, tmp_path) as web:
        world = web.world
        apps = {f"app-{n}": make_application(world, f"app-{n}") for n in range(200 if every_case() else 4)}
        for name, app in apps.items():
            web.create(name, application=app, secretsMapping={"clientId": f"{name}-id", "clientSecret": name})
        web.days(1)
        paths = backups_while(web, tmp_path, key.public)
        there = {name: web.keys(app) for name, app in apps.items()}
        now = world.clock.now()
        with paths[len(paths) // 2].open("rb") as file:
            contents = service.restore(
                *(database, file, [key], SOURCE, now),
                lambda tx: settle_restored(tx, now),
                replace=True,
            )
        assert contents.tables["secret_rotations"] == len(apps)
        assert not [line for line in doctor(world) if "could not be compared" in line]
        known = {told for row in world.journal() for told in (row.key_id, row.marker)}
        web.days(0.5)
        values = web.values()
        for name, app in apps.items():
            assert web.signs_in(values[name], app), name
            removed = {key_id: marker for key_id, marker in there[name].items() if key_id not in web.keys(app)}
            assert all(each & known for each in map(set, removed.items())), "only what the copy knows was removed"
        ended = {State.CURRENT, State.REVOKED, State.ABANDONED, State.RETIRING}
        assert {row.state for row in world.journal()} <= ended


def backups_while(web: RotationClient, folder: Path, key: PublicKey) -> list[Path]:
    """Rotate everything, and make one backup after another meanwhile."""
    world, paths, over = web.world, list[Path](), threading.Event()
    keyring = Keyring.open(world.database, SOURCE, world.clock)

    def back_up() -> None:
        while not over.is_set() and len(paths) < (40 if every_case() else 3):
            path = folder / f"{len(paths)}.age"
            service.create(world.database, keyring, world.clock, [key], path)
            paths.append(path)

    thread = threading.Thread(target=back_up)
    thread.start()
    try:
        for rotation in web.ask("GET", ALL, projectId=web.project)["secretRotations"]:
            web.rotate(rotation, reason="leaked")
        world.settle()
    finally:
        over.set()
        thread.join()
    assert len(paths) > 2
    return paths


KILLED = """
import os, signal, sys
from keyturn.cli.main import main
from keyturn.db import transfer
from keyturn.app import backups
place = sys.argv.pop(1)
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if place == "finish":
    backups.settle_restored = die
else:
    load = transfer.Loader.load
    def some(self, tables):
        def until():
            for number, table in enumerate(tables):
                if number == int(place):
                    die()
                yield table
        load(self, until())
    transfer.Loader.load = some
main(sys.argv[1:], os.environ)
"""


@pytest.mark.alternates
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["0", "20", "finish"])
def test_a_restore_that_is_killed_has_done_nothing(
    kind: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path, capsys)
    key = shell.key()
    with sqlite_database(tmp_path) as database, versioned(database):
        lived(database)
        made = shell.create(address(database))
    with empty(kind, tmp_path) as url:
        command = [sys.executable, "-c", KILLED, place, "backup", "restore", str(made), "--key-file", str(key)]
        environ = {
            **os.environ,
            "ENCRYPTION_KEY": ROOT_KEY.hex(),
            "KEYTURN_DATA_DIR": str(tmp_path),
            "DB_CONNECTION_URI": url,
        }
        died = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=120)
        assert died.returncode == -signal.SIGKILL, died.stderr
        with opened(url) as untouched:
            assert migrate.check(untouched) is migrate.SchemaState.EMPTY
        assert shell.restore(made, url) == 0, shell.err
