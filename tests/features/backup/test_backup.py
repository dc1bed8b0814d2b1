"""Backups by the command: what they hold, how they are refused, and that a restored database is the one that was backed up."""

import base64
import io
import itertools
import json
import re
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.app.backups import ScheduledBackups
from keyturn.audit import events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.backup import age
from keyturn.backup import folder as folders
from keyturn.crypto.keyring import Keyring
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys, generate
from keyturn.db import migrate
from keyturn.db.tables import audit_events, processes, run_steps
from keyturn.db.unit import Database
from keyturn.kit.clock import MovableClock
from keyturn.settings.reader import read_settings
from keyturn_simulation.world import ROOT_KEY, World, make_world
from tests.databases import sqlite_database
from tests.features.backup.copies import Shell, address, content, empty, lines_of, opened, versioned, written

CHANGED_BY_A_RESTORE = frozenset(
    {"leases", "audit_events", "audit_links", "audit_chains", "rotations", "app_connections"}
)
"""Nobody holds anything, it is told, and all is to be looked at."""


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


@pytest.fixture(scope="module")
def old_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A connection that has rotated; only read by the tests."""
    with sqlite_database(tmp_path_factory.mktemp("world")) as database, versioned(database):
        yield lived(database)


def lived(database: Database) -> World:
    world = make_world(database)
    world.connect()
    world.settle()
    return world


@pytest.mark.alternates
@pytest.mark.parametrize("target", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_restored_database_is_the_one_that_was_backed_up(
    database: Database, target: str, tmp_path: Path, shell: Shell
) -> None:
    world = lived(database)
    key = shell.key()
    held = content(database, CHANGED_BY_A_RESTORE)
    with versioned(database):
        made = shell.create(address(database))
    assert f": {made}" in shell.out
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    world.clock.advance(86400 * 40)
    world.settle()  # what happens afterwards is not in it
    assert shell.run("backup", "verify", made, "--key-file", key, "--json") == 0, shell.err
    facts = json.loads(shell.out)
    assert (facts["genuine"], facts["rootKeyHere"], facts["tables"]["app_connections"]) == (True, "opens", 1)
    with empty(target, tmp_path) as url:
        assert shell.restore(made, url, "--json") == 0, shell.err
        with opened(url) as restored:
            assert migrate.check(restored) is migrate.SchemaState.UP_TO_DATE
            assert content(restored, CHANGED_BY_A_RESTORE) == held
            counts = {name: len(rows) for name, rows in content(restored).items()}
            for table in ("audit_events", "audit_links"):
                assert counts.pop(table) == facts["tables"].pop(table) + 1, "that it was restored"
            assert counts == facts["tables"]
            assert shell.run("audit", "verify", DB_CONNECTION_URI=url) == 0, shell.out + shell.err
            with restored.write() as tx:  # numbers go on, and triggers act
                record(tx, world.actor, events.USER_CREATED, Subject(SubjectKind.USER, "new"), world.clock.now())
            with pytest.raises(sa.exc.DBAPIError, match="cannot be changed"), restored.write() as tx:
                tx.run(sa.delete(audit_events))


def test_replacing_what_is_there_has_to_be_asked_for_by_its_name(
    old_world: World, tmp_path: Path, shell: Shell
) -> None:
    shell.key()
    made = shell.create(address(old_world.database))
    with empty("sqlite", tmp_path) as url:
        assert shell.restore(made, url) == 0
        before = (tmp_path / "restored.db").read_bytes()
        for name in ("", "keyturn.db"):
            assert shell.restore(made, url, *(["--replace", name] if name else [])) == 1
            assert "restored.db" in shell.err or "not empty" in shell.err
            assert (tmp_path / "restored.db").read_bytes() == before
        with opened(url) as restored, restored.write() as tx:
            tx.run(sa.delete(run_steps))
        assert shell.restore(made, url, "--replace", "restored.db") == 0, shell.err
        with opened(url) as restored:
            assert content(restored)["run_steps"]
            with restored.write() as tx:
                now = datetime.now(UTC)
                tx.run(sa.insert(processes).values(id="p", host="h", pid=1, started_at=now, seen_at=now))
        assert shell.restore(made, url, "--replace", "restored.db") == 1
        assert "A server uses this database" in shell.err


def test_a_backup_that_is_not_for_this_server_is_refused(old_world: World, tmp_path: Path, shell: Shell) -> None:
    key = shell.key()
    made = shell.create(address(old_world.database))
    other = tmp_path / "other.key"
    assert shell.run("backup", "key", other) == 0
    assert shell.run("backup", "verify", made, "--key-file", other) == 1
    assert "made for another key" in shell.err
    assert shell.run("backup", "verify", made, "--key-file", tmp_path / "none.key") == 2
    with empty("sqlite", tmp_path) as url:
        strange = {"ENCRYPTION_KEY": generate(), "DB_CONNECTION_URI": url}
        assert shell.run("backup", "restore", made, "--key-file", key, **strange) == 1
        assert "does not open this backup" in shell.err
        assert "another than the one here" in _verified(shell, made, key, **strange)
        assert "which is not here" in _verified(shell, made, key, ENCRYPTION_KEY="")
        lines, forged = lines_of(made, key), tmp_path / "forged.age"
        for changed, why in (
            (
                [line.replace("create-app-connection", "delete-app-connection") for line in lines],
                "was not made by a server with this root key",
            ),
            ([lines[0].replace('"schema":"', '"schema":"9'), *lines[1:]], "whose tables are at version 9"),
            ([lines[0].replace('Backup":1', 'Backup":2'), *lines[1:]], "has format 2"),
            ([*lines[:5], *lines[6:]], "was damaged or changed"),
            (["{}\n", *lines[1:]], "is not a backup of Keyturn"),
        ):
            assert shell.restore(written(changed, key, forged), url) == 1
            assert why in shell.err
        with opened(url) as untouched:
            assert migrate.check(untouched) is migrate.SchemaState.EMPTY


def test_what_is_cut_off_or_changed_anywhere_is_refused_before_anything_is_touched(
    old_world: World, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(age, "CHUNK", 1024)
    key = shell.key()
    made = shell.create(address(old_world.database))
    whole = made.read_bytes()
    head = whole.index(b"\n---") + 65
    borders = range(head, len(whole), 1024 + age.TAG)
    assert len(borders) > 5
    bad = tmp_path / "bad.age"
    for end in {*borders, *(border + 16 for border in borders), len(whole) - 1, 0, 30, head - 20}:
        bad.write_bytes(whole[:end])
        assert shell.run("backup", "verify", bad, "--key-file", key) == 1, end
        assert "backup" in shell.err.lower()
        assert "failed unexpectedly" not in shell.err, shell.err
    for place in (*range(0, head, 37), *range(head, len(whole), 509), len(whole) - 1):
        bad.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert shell.run("backup", "verify", bad, "--key-file", key) == 1, place
        assert "failed unexpectedly" not in shell.err, shell.err
    bad.write_bytes(whole[: borders[3]])
    with empty("sqlite", tmp_path) as url:
        assert shell.restore(bad, url) == 1
        assert "its end is missing" in shell.err
        bad.write_bytes(whole + b"more")
        assert shell.restore(bad, url) == 1
        with opened(url) as untouched:
            assert migrate.check(untouched) is migrate.SchemaState.EMPTY


def test_what_somebody_with_the_public_key_makes_is_refused_in_time_and_without_a_fault(
    old_world: World, tmp_path: Path, shell: Shell
) -> None:
    key = shell.key()
    lines, forged = lines_of(shell.create(address(old_world.database)), key), tmp_path / "forged.age"
    place = next(number for number, line in enumerate(lines) if line.startswith('{"table":"data_keys"'))
    row = json.loads(lines[place + 1])
    for changed in (
        [*lines[: place + 1], json.dumps([1] * len(row)) + "\n", *lines[place + 2 :]],
        [*lines[:place], '{"table":"data_keys","columns":["id"]}\n', '["x"]\n', *lines[place + 2 :]],
        [lines[0].replace('"rootKeys":["', '"rootKeys":["0'), *lines[1:]],
        [*lines[:place], "[" * 100_000 + "\n", *lines[place:]],
        [lines[0], "[" * 100_000 + "\n", *lines[1:]],
        [*lines[:place], "[" + " " * 70_000_000 + "]\n", *lines[place:]],
    ):
        began = time.process_time()
        assert shell.run("backup", "verify", written(changed, key, forged), "--key-file", key) == 1
        assert "was damaged or changed" in shell.err or "is not a backup" in shell.err, shell.err
        assert time.process_time() - began < 2


def test_a_server_makes_backups_by_itself_and_deletes_those_that_are_too_many(
    old_world: World, tmp_path: Path, shell: Shell
) -> None:
    shell.key()
    folder = tmp_path / "backups"
    settings = read_settings(
        {
            "KEYTURN_DATA_DIR": str(tmp_path),
            "KEYTURN_BACKUP_DIR": str(folder),
            "KEYTURN_BACKUP_KEEP": "2",
            **shell.environ,
        }
    )
    clock = MovableClock(datetime(2026, 3, 1, tzinfo=UTC))
    keyring = Keyring.open(old_world.database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), clock)
    scheduled, again = (ScheduledBackups(settings, old_world.database, keyring, clock) for _ in range(2))
    (tmp_path / "backups").mkdir()
    (folder / "notes.txt").write_text("kept")
    seen = []
    for _ in range(5 * 24):
        scheduled.make_due()
        again.make_due()
        seen.append(tuple(sorted(path.name for path in folder.glob("*.age"))))
        clock.advance(3600)
    days = [f"keyturn-2026030{day}T000000Z.age" for day in range(1, 6)]
    assert list(dict.fromkeys(seen)) == [(days[0],), *itertools.pairwise(days)]
    assert (folder / "notes.txt").exists()
    with folders.alone(folder):
        clock.advance(86400)
        scheduled.make_due()  # another process is at it
        assert len(list(folder.glob("*05T*.age"))) == 1
    (folder / "keyturn-20990101T000000Z.age").write_text("by a wrong clock")
    seen.clear()
    for _ in range(2 * 24):
        scheduled.make_due()
        seen.append(tuple(sorted(path.name for path in folder.glob("*-2026*.age"))))
        clock.advance(3600)
    assert len(dict.fromkeys(seen)) == 2, "one each day, as before"
    assert not list(folder.glob(".*.part"))
    source = old_world.database.engine.url.render_as_string(hide_password=False)
    by_command = {"KEYTURN_BACKUP_DIR": str(folder), "KEYTURN_BACKUP_KEEP": "2", "DB_CONNECTION_URI": source}
    assert shell.run("backup", "create", **by_command) == 0, shell.err
    assert Path(shell.out.split()[-1]).parent == folder
    assert len(list(folder.glob("*.age"))) == 2, "so does the command, where it is not told a name"
    assert shell.run("doctor", KEYTURN_BACKUP_DIR=str(folder), KEYTURN_BACKUP_PUBLIC_KEYS="") == 1
    assert "KEYTURN_BACKUP_PUBLIC_KEYS is missing beside KEYTURN_BACKUP_DIR" in shell.out


def test_what_age_made_opens_here_and_keys_of_age_are_taken() -> None:
    """By pyrage, the library of age in Rust, with a line of the header for somebody else, as age adds at times."""
    private = "AGE-SECRET-KEY-15C30H0V2J2DAV80UYK36AQX73EA39L96CYJNT4LE00M5J2WDK6SQ66WNC7"
    key = age.PrivateKey.parse(private)
    assert key is not None
    assert str(key.public) == "age1tvq90v6hsmauygjgyhm2s098ks6hsxw9uhqcamrdlneqejuxf3hqrvaww6"
    assert key.reveal().reveal() == private
    assert age.PrivateKey.parse(private.replace("5C30", "5C31")) is None
    assert b"".join(age.decrypt(io.BytesIO(base64.b64decode(MADE_BY_AGE)), [key])) == b"hello keyturn"
    for size in (0, 1, age.CHUNK - 1, age.CHUNK, age.CHUNK + 1, 3 * age.CHUNK):
        file = io.BytesIO()
        out = age.Encrypting(file, [age.PrivateKey.generate().public, key.public])
        out.write(bytes(size))
        out.close()
        assert b"".join(age.decrypt(io.BytesIO(file.getvalue()), [key])) == bytes(size)


MADE_BY_AGE = (
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBQR2hCMXZYMHlFWDFqOEEwQlYrVUhXTHZrY1ZBekFvSFV6TnVqYm9ZNDEwCmtrOHpsTEhmMFJlSjcy"
    "Q0ptNHBTOFV4bnZieFpkS2lCQzhHV1RVTTAvcTQKLT4gW0djQzR8aEItZ3JlYXNlIFY2JiQ4PFwgLSwhZSQxKzYKallBVlMxSlB2d2xTNE5YTllJNkhKVG1W"
    "WHByS0VVTVdPaDJLdzVwRytqdGVKM1Q1cmZGZWs3NWIKLS0tIGJic0xGZXkrdlFRMVM5cm5uTi9YeDlyUWU0ZUk5TTcxMG5oY1ZLWWNmY2cKntzX3UNrqdBm"
    "56d55LUdy89TQxBDY0qPEYYgNkT3Zt0Yo36gNhxVdVANwjdv"
)


def _verified(shell: Shell, made: Path, key: Path, **more: str) -> str:
    shell.run("backup", "verify", made, "--key-file", key, **more)
    return shell.out


def test_the_how_to_is_right(old_world: World, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    guide = (Path(__file__).parents[3] / "docs/how-to/backup-and-restore.md").read_text()
    commands = [
        line.split()[1:]
        for block in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
        for line in block.splitlines()
        if "az ad" not in block
        if line.strip()
    ]
    assert [command[1] for command in commands] == ["key", "create", "verify", "restore"]
    for command in commands:
        url = f"sqlite:///{tmp_path / 'new.db'}" if "restore" in command else address(old_world.database)
        assert shell.run(*command, DB_CONNECTION_URI=url) == 0, shell.err
        if "key" in command:
            shell.environ["KEYTURN_BACKUP_PUBLIC_KEYS"] = shell.out.strip()
            assert stat.S_IMODE(Path("backup.key").stat().st_mode) == 0o600
            assert "AGE-SECRET-KEY-1" not in shell.out + shell.err
