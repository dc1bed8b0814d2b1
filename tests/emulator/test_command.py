"""The command `entra-emulator`: what it refuses and why, and what it says to whoever points a program at it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from entra_emulator import Emulator, SigningKey, SystemClock
from entra_emulator.admin.snapshot import VERSION
from entra_emulator.server.cli import app
from entra_emulator.server.instructions import environment_file, usable_sign_in
from entra_emulator.server.server import run_in_thread
from entra_emulator.server.state import StateFolder

DAY = 86_400.0

pytestmark = pytest.mark.timeout(60)  # what is not refused would serve for ever


def refusal(*options: str | Path) -> str:
    """Start it with what it cannot use; give the option that it blames, and why, on one line."""
    result = CliRunner(env={"COLUMNS": "1000"}).invoke(app, ["serve", *map(str, options)])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    said = re.search(r"Invalid value for (.*?)\s*│", result.output)
    assert said, result.output
    return said[1]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of this machine that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_place_where_it_cannot_listen_is_named(taken: int, tmp_path: Path) -> None:
    there = ("--ca-file", tmp_path / "ca.pem")
    for option in ("--port", "--metadata-port"):
        assert re.match(
            rf"--port, --metadata-port: .*{taken}.*address already in use", refusal(option, str(taken), *there)
        )
    # RFC 5737: an address for documents, which no machine has.
    assert re.match(r"--host: .*203\.0\.113\.1", refusal("--host", "203.0.113.1", *there))


@pytest.mark.parametrize("option", ["--ca-file", "--ready-file", "--env-file", "--seed-file", "--issuer-ca-file"])
def test_a_file_that_cannot_be_used_is_named_with_its_option(option: str, tmp_path: Path) -> None:
    nowhere = tmp_path / "missing" / "file"
    certificate = () if option == "--ca-file" else ("--ca-file", tmp_path / "ca.pem")
    assert re.match(rf"{option}: .*'{nowhere}'", refusal(option, nowhere, *certificate))


@pytest.mark.parametrize("option", ["--ready-file", "--env-file"])
def test_nothing_is_left_beside_a_file_that_cannot_be_written(option: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert refusal(option, tmp_path / "folder", "--ca-file", tmp_path / "ca.pem").startswith(f"{option}: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.pem", "folder"]


def test_a_name_that_no_certificate_can_have_is_refused(tmp_path: Path) -> None:
    for option, name in (("--host-name", "two words"), ("--host-name", ""), ("--host", "two words"), ("--host", "")):
        assert refusal(option, name, "--ca-file", tmp_path / "ca.pem").startswith("--host, --host-name: ")


def test_every_address_is_one_that_a_client_can_use(signing_key: SigningKey) -> None:
    for host, name in (("0.0.0.0", "localhost"), ("::1", "[::1]"), ("::", "[::1]"), ("127.0.0.2", "127.0.0.2")):
        with run_in_thread(Emulator(SystemClock(), signing_key=signing_key), host=host) as running:
            assert running.authority == f"https://{name}:{running.port}"
            context = ssl.create_default_context(cafile=running.ca_file)
            assert httpx.get(f"{running.admin}/health", verify=context).json() == {"status": "ok"}


def test_a_certificate_of_an_issuer_is_a_certificate(tmp_path: Path) -> None:
    (tmp_path / "issuer.pem").write_text("junk")
    assert refusal("--issuer-ca-file", tmp_path / "issuer.pem").startswith("--issuer-ca-file: ")


def test_a_state_folder_that_cannot_be_used_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    file, newer, there = tmp_path / "file", tmp_path / "newer", ("--ca-file", tmp_path / "ca.pem")
    file.write_text("")
    assert re.match(r"--state: .*Not a directory: .*file", refusal("--state", file, *there))
    newer.mkdir()
    content = json.dumps({"version": VERSION + 1})
    (newer / "directory.json").write_text(content)
    said = refusal("--state", newer, *there)
    assert re.match(r"--state: .*newer cannot be read: a newer entra-emulator wrote it", said)
    assert (newer / "directory.json").read_text() == content


def test_a_state_folder_is_used_by_one_emulator_at_a_time(tmp_path: Path) -> None:
    first = StateFolder(tmp_path / "state")
    first.begin(Emulator(SystemClock(), signing_key=first.signing_key()), None)
    before = (tmp_path / "state" / "directory.json").read_bytes()
    said = refusal("--state", tmp_path / "state", "--demo", "--ca-file", tmp_path / "ca.pem")
    assert re.match(r"--state: .*state is in use by another emulator", said)
    assert (tmp_path / "state" / "directory.json").read_bytes() == before


def test_the_variables_it_prints_and_writes_point_a_program_at_it(tmp_path: Path) -> None:
    folder = tmp_path / "with a blank"
    folder.mkdir()
    command = [sys.executable, "-m", "entra_emulator", "serve", "--demo", "--ca-file", "ca.pem", "--env-file", "at.env"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(9)]
        kept = (folder / "at.env").read_text()
        ask = (
            'curl -sS --cacert "$SSL_CERT_FILE" "$AZURE_AUTHORITY_HOST/$AZURE_TENANT_ID/oauth2/v2.0/token" '
            '--data-urlencode "client_id=$AZURE_CLIENT_ID" --data-urlencode "client_secret=$AZURE_CLIENT_SECRET" '
            "-d grant_type=client_credentials -d scope=https://graph.microsoft.com/.default"
        )
        answers = [
            json.loads(subprocess.check_output(["sh", "-euc", f"{variables}\n{ask}"], cwd=folder, text=True))
            for variables in ("".join(printed[2:]), "set -a; . ./at.env; set +a")
        ]
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert [sorted(answer) for answer in answers] == [
        ["access_token", "expires_in", "ext_expires_in", "token_type"]
    ] * 2
    assert (folder / "at.env").stat().st_mode & 0o077 == 0
    assert [line.removeprefix("export ") for line in printed[2:]] == kept.splitlines(keepends=True)


def test_a_file_of_variables_is_the_same_to_a_shell_and_to_what_takes_lines_as_they_stand(tmp_path: Path) -> None:
    variables = {
        "PLAIN": "/home/me/ca.pem", "SECRET": "dk48Q~hSxoQ8~17.-_", "ADDRESS": "https://[::1]:8443",
        "BLANK": "two words", "QUOTE": "it's $HOME", "HOME_OF": "~root", "PATHS": "/a:~root", "EMPTY": "",
    }  # fmt: skip
    (tmp_path / "at.env").write_text(environment_file(variables))
    command = "set -a; . ./at.env; set +a; env -0"
    shown = subprocess.check_output(
        ["bash", "-euc", command], cwd=tmp_path, text=True, env={"PATH": os.environ["PATH"]}
    )
    assert variables.items() <= dict(line.split("=", 1) for line in shown.split("\0") if line).items()
    # `docker run --env-file` takes all that follows the first sign as the value, quotes too.
    as_they_stand = dict(line.split("=", 1) for line in environment_file(variables).splitlines())
    assert {name: as_they_stand[name] for name in ("PLAIN", "SECRET", "ADDRESS")} == {
        name: variables[name] for name in ("PLAIN", "SECRET", "ADDRESS")
    }


def test_it_names_an_application_that_can_sign_in_now() -> None:
    clock = SystemClock()
    emulator = Emulator(clock)
    assert usable_sign_in(emulator) is None, "it has no tenant yet"
    admin, now = emulator.admin, clock.now()
    tenant = admin.create_tenant("Contoso")
    ended = admin.create_application(tenant, "ended", secrets=0)
    admin.add_secret(ended.object_id, start=now - 2 * DAY, end=now - DAY)
    disabled = admin.create_application(tenant, "disabled")
    admin.set_disabled(disabled.object_id, disabled=True)
    assert usable_sign_in(emulator) is None
    first, second = (admin.create_application(tenant, name) for name in ("first", "second"))
    assert usable_sign_in(emulator) == (tenant, first.app_id, first.secrets[0].value)
    assert usable_sign_in(emulator, second.app_id) == (tenant, second.app_id, second.secrets[0].value)
    admin.remove_secret(second.object_id, second.secrets[0].key_id)
    assert usable_sign_in(emulator, second.app_id) == (tenant, first.app_id, first.secrets[0].value)
