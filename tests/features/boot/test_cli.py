"""The command line as its users see it: results on standard output, one clear message and a status when it fails."""

import importlib
import io
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from keyturn.cli.main import COMMANDS, main
from keyturn.crypto.audit_keys import receipt_key
from keyturn.crypto.keyring import KeyringSealer
from keyturn.crypto.root import RootKey, generate
from keyturn.db import migrate
from keyturn.db.engine import open_engine, parse_url
from keyturn.db.unit import Database
from tests.docs.command_blocks import command_blocks
from tests.features.boot.starting import start, started
from tests.log_state import kept_log_state
from tests.postgres import fresh_database, postgres_url

CANARY = "canary-7f3a9c"


class Shell:
    """Runs commands in one environment and remembers what they printed."""

    def __init__(self, environ: dict[str, str], capture: pytest.CaptureFixture[str]) -> None:
        self.environ = environ
        self._capture = capture
        self.out = self.err = ""

    def run(self, *arguments: str, **more: str) -> int:
        with kept_log_state():
            status = main(arguments, {**self.environ, **more})
        self.out, self.err = self._capture.readouterr()
        return status


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell({"KEYTURN_DATA_DIR": str(tmp_path / "data")}, capsys)


def test_the_version(shell: Shell) -> None:
    assert shell.run("--version") == 0
    assert re.fullmatch(r"keyturn \d+\.\d+\.\d+\S*\n", shell.out)


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_the_commands(shell: Shell, arguments: list[str]) -> None:
    assert shell.run(*arguments) == 0
    assert all(name in shell.out for name in ("keys", "migrate", "doctor"))


def test_every_listed_command_has_help(shell: Shell) -> None:
    for name, (module, _) in COMMANDS.items():
        if importlib.util.find_spec(module) is not None:
            assert shell.run(name, "--help") == 0, name
            assert shell.out.startswith(f"Usage: keyturn {name}"), name
            assert "completion" not in shell.out, name


def test_an_unknown_command_is_a_usage_error(shell: Shell) -> None:
    assert shell.run("migrat") == 2
    assert "migrate" in shell.err


def test_bad_settings_are_one_message_and_status_2(shell: Shell) -> None:
    assert shell.run("migrate", PORT="x\x1b[2J\r", KEYTURN_CLOUD="moon\r\x9b2J") == 2
    assert shell.err.startswith("Error: 2 settings are wrong:")
    assert not {"\x1b", "\x9b", "\r"} & set(shell.err), "a terminal obeys what it reads"
    assert "PORT" in shell.err
    assert "Traceback" not in shell.err
    assert shell.out == ""


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_a_traceback_only_on_request(shell: Shell, how: str) -> None:
    arguments, more = (["--debug", "migrate"], {}) if how == "flag" else (["migrate"], {"KEYTURN_DEBUG": "1"})
    assert shell.run(*arguments, PORT="x", **more) == 2
    assert "Traceback" in shell.err


def test_an_unexpected_failure_shows_its_kind_only(shell: Shell, tmp_path: Path) -> None:
    assert shell.run("migrate") == 0
    (tmp_path / "data" / "keyturn.db").write_text(f"this is no database {CANARY}" * 1000)
    (tmp_path / "data" / "keyturn.db-wal").unlink(missing_ok=True)
    status = shell.run("migrate")
    assert status in {1, 2}
    assert "Traceback" not in shell.err
    assert CANARY not in shell.err


def test_generated_keys_are_all_that_is_printed(shell: Shell) -> None:
    assert shell.run("keys", "generate") == 0
    assert re.fullmatch(r"[0-9a-f]{64}\n", shell.out)
    assert "back it up" in shell.err


def test_migrate_tells_what_it_did(shell: Shell) -> None:
    assert shell.run("migrate", "--check") == 1
    assert "empty" in shell.out
    assert shell.run("migrate") == 0
    assert f"version {migrate.newest()}" in shell.out
    assert shell.run("migrate") == 0
    assert "up to date" in shell.out
    assert shell.run("migrate", "--check") == 0


@pytest.mark.parametrize(
    "command",
    ["overview", "inventory", "uses", "audit verify", "audit export", "freezes", "approvals list", "keys status"],
)
def test_where_there_is_no_database_none_is_made_but_by_what_is_for_that(
    shell: Shell, tmp_path: Path, command: str
) -> None:
    assert shell.run(*command.split(), KEYTURN_DATA_DIR=str(tmp_path / "mistyped")) == 2
    assert str(tmp_path / "mistyped" / "keyturn.db") in shell.err
    assert "Fix: Set KEYTURN_DATA_DIR to the data folder of the server" in shell.err
    assert not (tmp_path / "mistyped").exists()


def test_keys_need_a_migrated_database_that_was_started_once(shell: Shell) -> None:
    assert shell.run("keys", "rotate") == 2
    assert "keyturn migrate" in shell.err
    shell.run("migrate")
    assert shell.run("keys", "rotate", "--root") == 1
    assert "no keys to rotate" in shell.err


def test_the_key_file_is_rotated_and_the_old_key_forgotten(shell: Shell, tmp_path: Path) -> None:
    start(shell.environ)
    key_file = tmp_path / "data" / "root.key"
    before = key_file.read_text()
    assert shell.run("keys", "status", "--json") == 0
    old = json.loads(shell.out)
    assert shell.run("keys", "rotate", "--root") == 0
    assert before.strip() not in shell.out + shell.err
    assert key_file.read_text() != before
    assert not key_file.with_name("root.key.previous").exists()
    assert shell.run("keys", "status", "--json") == 0
    new = json.loads(shell.out)
    assert new["rootKey"] != old["rootKey"]
    assert {key["rootKey"] for key in new["dataKeys"]} == {new["rootKey"]}
    assert [key["retiredAt"] is None for key in new["dataKeys"]] == [False, True]
    assert start(shell.environ) == []


def test_a_key_of_the_environment_is_rotated_online(shell: Shell) -> None:
    old, new = generate(), generate()
    start({**shell.environ, "ENCRYPTION_KEY": old})
    shell.environ["ENCRYPTION_KEY"] = new
    assert shell.run("keys", "rotate") == 2
    assert RootKey.parse(old, "x").id in shell.err
    assert shell.run("keys", "rotate", ENCRYPTION_KEY_PREVIOUS=old) == 0
    assert "remove ENCRYPTION_KEY_PREVIOUS" in shell.err
    assert old not in shell.out + shell.err
    assert new not in shell.out + shell.err
    assert start(shell.environ) == []
    assert shell.run("keys", "rotate", "--root") == 2
    assert "ENCRYPTION_KEY_PREVIOUS" in shell.err


def test_a_key_that_a_set_up_code_is_known_by_stays_in_use(shell: Shell) -> None:
    start(shell.environ)
    assert shell.run("admin", "setup-code") == 0
    assert shell.run("keys", "rotate") == 0
    assert "The set-up code is known by an older data key until this server is set up" in shell.err
    assert "client secret" not in shell.err


def test_keys_status_is_readable(shell: Shell) -> None:
    start(shell.environ)
    assert shell.run("keys", "status") == 0
    assert "data key" in shell.out


@pytest.mark.postgres
def test_migrate_and_keys_on_postgresql(shell: Shell) -> None:
    with fresh_database() as url:
        shell.environ |= {"DB_CONNECTION_URI": url, "ENCRYPTION_KEY": generate()}
        assert shell.run("migrate") == 0
        start(shell.environ)
        assert shell.run("keys", "rotate") == 0


@pytest.mark.postgres
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_which_not_every_text_can_be_stored_is_refused(shell: Shell, encoding: str) -> None:
    with fresh_database() as url:
        name = url.rpartition("/")[2]
        with psycopg.connect(postgres_url(), autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}"')
            server.execute(f"CREATE DATABASE \"{name}\" ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")
        shell.environ |= {"DB_CONNECTION_URI": url, "ENCRYPTION_KEY": generate()}
        for command in (["migrate"], ["doctor"], ["serve"], ["keys", "status"]):
            assert shell.run(*command) != 0
            assert f"the encoding {encoding}" in shell.out + shell.err, command
            assert "CREATE DATABASE keyturn ENCODING 'UTF8'" in shell.out + shell.err


@pytest.mark.postgres
def test_texts_of_any_letters_come_through_whatever_encoding_an_address_asks_for() -> None:
    with fresh_database() as url:
        database = Database(open_engine(parse_url(f"{url}?client_encoding=LATIN1")))
        with database.read() as tx:
            row = tx.one(sa.text("SELECT CAST(:text AS text) AS text"), text="Žluťoučký 東京")
        database.close()
    assert row == {"text": "Žluťoučký 東京"}


def test_no_secret_of_the_environment_is_ever_printed(shell: Shell) -> None:
    secrets = {
        "ENCRYPTION_KEY": CANARY,
        "ENCRYPTION_KEY_PREVIOUS": CANARY,
        "DB_CONNECTION_URI": f"postgresql://u:{CANARY}@127.0.0.1:1/x",
        "DB_PASSWORD": CANARY,
        "AUTH_SECRET": CANARY,
        "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET": CANARY,
        "DB_ROOT_CERT": CANARY,
    }
    for environ in (
        {**secrets},
        {**secrets, "DB_ROOT_CERT": ""},
        {**secrets, "DB_ROOT_CERT": "", "DB_CONNECTION_URI": "", "DB_HOST": "127.0.0.1"},
    ):
        for command in (["migrate"], ["keys", "status"], ["keys", "rotate"], ["--debug", "keys", "status"]):
            assert shell.run(*command, **environ) != 0
            assert CANARY not in shell.out + shell.err


def test_a_command_imports_only_what_it_needs(tmp_path: Path) -> None:
    run = "['run', '--env', 'dev', '--on-change', 'none', '--interval', '5', '--', 'true']"
    code = f"import sys; from keyturn.cli import main; main.main({run}, {{}}); print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    loaded = set(done.stdout.split())
    assert not loaded & {
        "alembic",
        "msal",
        "keyturn.web.server.app",
        "dbos",
        "httpx2",
        "cryptography",
        "pydantic",
        "rich",
        "argon2",
    }


def test_a_port_is_taken_without_the_library_that_judges_numbers() -> None:
    code = """
import sys
from keyturn.cli import main
assert main.main(["serve", "--port", "0"], {"LOG_LEVEL": "nonsense"}) == 2
assert "pydantic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_start_that_is_up_to_date_imports_neither_alembic_nor_rich(tmp_path: Path) -> None:
    environ = {"KEYTURN_DATA_DIR": str(tmp_path / "data")}
    start(environ)
    code = f"""
import sys
from keyturn.app import startup as boot
from keyturn.cli.context import loading
from keyturn.kit.clock import SystemClock
from keyturn.settings.reader import read_settings
settings = read_settings({environ!r})
database = boot.open_database(settings)
boot.prepare_database(settings, database, SystemClock(), print)
boot.open_keyring(settings, database, SystemClock(), print)
with loading():
    from keyturn.web.server import logs
logs.configure("INFO", "console")
assert not {{"alembic", "rich", "pygments"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_overview_says_what_needs_somebody_and_its_status_that_somebody_is_needed(shell: Shell) -> None:
    assert shell.run("migrate") == 0
    assert shell.run("overview") == 1
    assert "not set up yet" in shell.err
    with sqlite3.connect(Path(shell.environ["KEYTURN_DATA_DIR"]) / "keyturn.db") as database:
        database.execute(
            "INSERT INTO organizations (id, name, slug, created_at, updated_at)"
            " VALUES ('o', 'Contoso', 'contoso', '2026-01-01', '2026-01-01')"
        )
    assert shell.run("overview") == 1
    assert "critical  This server: No process has done any work" in shell.out
    assert "keyturn worker" in shell.out
    with sqlite3.connect(Path(shell.environ["KEYTURN_DATA_DIR"]) / "keyturn.db") as database:
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        database.execute("INSERT INTO processes VALUES ('p', 'h', 1, ?, ?)", (now, now))
    assert shell.run("overview") == 0
    assert shell.out == "Nobody is needed. 0 of 0 connections tried.\n"
    assert shell.run("overview", "--json") == 0
    (told,) = json.loads(shell.out)
    kinds = [one["kind"] for one in told["conditions"]]
    assert (told["organization"], told["needsAction"], kinds) == ("Contoso", False, ["nobody-told"])
    assert not (Path(shell.environ["KEYTURN_DATA_DIR"]) / "root.key").exists(), "a look makes no key"


def test_the_operator_sees_freezes_and_switches_approval_off(shell: Shell) -> None:
    assert shell.run("migrate") == 0
    assert shell.run("freezes") == 0
    assert shell.out == "There are no freeze windows.\n"
    file = Path(shell.environ["KEYTURN_DATA_DIR"]) / "keyturn.db"
    now, org = "2026-11-30 10:00:00.000000", "11111111-1111-4111-8111-111111111111"
    with sqlite3.connect(file) as connection:
        connection.execute(
            "INSERT INTO organizations (id, name, slug, created_at, updated_at) VALUES (?, 'Acme', 'acme', ?, ?)",
            (org, now, now),
        )
        days = ("2026-12-20", "2027-01-06", "Europe/Oslo")
        columns = "id, org_id, name, reason, first_day, last_day, time_zone, yearly, created_at, updated_at"
        values = ("f1", org, "Year end", "", *days, True, now, now)
        connection.execute(f"INSERT INTO freeze_windows ({columns}) VALUES ({', '.join('?' * 10)})", values)
        connection.execute("INSERT INTO approval_settings VALUES (?, ?, NULL, TRUE, TRUE, 24, ?)", (org, org, now))
    assert shell.run("freezes") == 0
    assert "Year end: 2026-12-20 to 2027-01-06 Europe/Oslo, each year (Acme), next from" in shell.out
    assert shell.run("approvals", "list") == 0
    assert shell.out == "Nothing waits.\n"
    assert not (file.parent / "root.key").exists(), "nothing of this needs a key"
    assert shell.run("approvals", "off") == 0
    assert "No second person is needed any more in the organization of 'Acme'." in shell.err
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT required FROM approval_settings").fetchall() == [(0,)]


def test_the_operator_verifies_and_exports_the_audit_trail(shell: Shell) -> None:
    bootstrap = ("admin", "bootstrap", "--email", "ada@acme.test", "--organization", "Acme", "--password-stdin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO("vellum-orbit-pickle-97\n"))
        assert shell.run(*bootstrap) == 0
    assert shell.run("audit", "head") == 0
    anchors = shell.out.splitlines()
    assert [line.split(":")[0] for line in anchors] == ["keyturn-audit", "keyturn-audit"]
    given = [part for line in anchors for part in ("--anchor", line)]
    assert shell.run("audit", "verify", *given) == 0
    assert re.fullmatch(
        r"the server itself: 1 event up to position 1: verified\nAcme: (\d+) events? up to position \1: verified\n",
        shell.out,
    )
    assert shell.run("audit", "export", "--format", "csv", "--organization", "acme", "--since", "2020-01-01") == 0
    assert "bootstrap-instance" in shell.out
    assert shell.run("audit", "export", "--event", "verify-audit-events") == 0
    assert [json.loads(line)["facts"]["faults"] for line in shell.out.splitlines()] == [0]
    assert shell.run("audit", "export", "--organization", "nobody") == 2
    assert "There is no 'nobody'; there is: acme" in shell.err
    assert shell.run("audit", "export", "--event", "verify-audit-event") == 2
    assert "Similar: verify-audit-events" in shell.err, "an empty file would look as if it had never happened"
    assert shell.run("audit", "verify", "--anchor", "nothing") == 1
    assert "`keyturn audit head` prints it" in shell.err
    follow_the_guide(shell)

    with sqlite3.connect(Path(shell.environ["KEYTURN_DATA_DIR"]) / "keyturn.db") as connection:
        connection.execute(
            "INSERT INTO audit_events (at, org_id, actor_kind, event, subject_kind, subject_id, data)"
            " SELECT at, org_id, actor_kind, 'by-hand', subject_kind, subject_id, data FROM audit_events"
            " WHERE event = 'bootstrap-instance'"
        )
    assert shell.run("audit", "verify") == 1
    assert re.search(r"1 FAULT\n  event \d+: the event is in no chain", shell.out)
    assert shell.run("audit", "adopt", "--reason", "the older server wrote it") == 0
    assert shell.err.endswith("Acme: 1 event linked.\n")
    assert shell.run("audit", "verify") == 0


def follow_the_guide(shell: Shell) -> None:
    """Run the commands of the guide, with the receipt of a run that this server signs."""
    folder = Path(shell.environ["KEYTURN_DATA_DIR"])
    with started({**shell.environ}, []) as (database, keyring):
        key = receipt_key(database, KeyringSealer(keyring), datetime.now(UTC))
    run = {"id": "r", "state": "succeeded", "finishedAt": "now", "reason": "manual", "requestedBy": "Ada"}
    of = {"name": "own", "applicationName": "Own", "appId": "a"}
    said = {"issuedAt": "now", "rotation": of, "run": run, "credentials": [], "events": [], "chain": "none"}
    (folder / "receipt.txt").write_text(str(key.signed(json.dumps(said) + "\n")), encoding="utf-8")

    def content(named: re.Match[str]) -> str:
        return " ".join((named[1] or "") + line for line in (folder / named[2]).read_text().splitlines())

    for block in command_blocks("docs/how-to/prove-what-was-done.md"):
        for line in block.text.strip().splitlines():
            command, _, into = line.partition(" > ")
            command = re.sub(r"\$\((?:cat|sed 's/\^/(.*)/') (\S+)\)", content, command)
            words = [str(folder / word) if word == "receipt.txt" else word for word in shlex.split(command)]
            assert shell.run(*words[1:]) == 0, (line, shell.err)
            if into:
                (folder / into).write_text(shell.out, encoding="utf-8")
    assert shell.out.startswith("Verified: the receipt of run r")
