"""``keyturn admin`` as the operator sees it."""

import io
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from keyturn.cli.main import main
from tests.features.accounts.conftest import GOOD_PASSWORD

BOOTSTRAP = ("admin", "bootstrap", "--email", "ann@acme.test", "--organization", "Acme")


class Shell:
    """Runs commands on one data directory; ``stdin`` is what arrives on standard input."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.environ = {"KEYTURN_DATA_DIR": str(folder)}
        self._capture = capture
        self._patch = patch
        self.out = self.err = ""

    def run(self, *arguments: str, stdin: str = "") -> int:
        self._patch.setattr(sys, "stdin", io.StringIO(stdin))
        status = main(arguments, self.environ)
        self.out, self.err = self._capture.readouterr()
        return status


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path / "data", capsys, monkeypatch)


def test_bootstrap_prints_the_token_and_nothing_else_on_standard_output_once(shell: Shell) -> None:
    assert shell.run(*BOOTSTRAP, "--password-stdin", stdin=f"{GOOD_PASSWORD}\n") == 0
    assert re.fullmatch(r"ktn_[a-z2-7]{59}\n", shell.out)
    assert "ann@acme.test is its admin" in shell.err
    assert GOOD_PASSWORD not in shell.out + shell.err
    assert shell.run(*BOOTSTRAP, "--password-stdin", stdin=f"{GOOD_PASSWORD}\n") == 1
    assert shell.out == ""
    assert "set up already" in shell.err
    assert "keyturn admin reset-password" in shell.err


def test_a_weak_password_is_refused_with_the_reason(shell: Shell) -> None:
    assert shell.run(*BOOTSTRAP, "--password-stdin", stdin="passwordpassword\n") == 1
    assert "too easy to guess" in shell.err
    assert shell.run(*BOOTSTRAP, "--password-stdin", stdin=f"{GOOD_PASSWORD}\n") == 0


def test_a_password_is_never_taken_from_the_arguments(shell: Shell) -> None:
    assert shell.run(*BOOTSTRAP, "--password", GOOD_PASSWORD) == 2
    assert shell.run(*BOOTSTRAP) == 1
    assert "--password-stdin" in shell.err


@pytest.mark.parametrize("command", ["reset-password", "unlock"])
def test_an_unknown_person_is_named(shell: Shell, command: str) -> None:
    shell.run(*BOOTSTRAP, "--password-stdin", stdin=f"{GOOD_PASSWORD}\n")
    assert shell.run("admin", command, "--email", "bob@acme.test") == 1
    assert "There is no user 'bob@acme.test'" in shell.err


def test_reset_and_unlock_say_what_they_did(shell: Shell) -> None:
    shell.run(*BOOTSTRAP, "--password-stdin", stdin=f"{GOOD_PASSWORD}\n")
    arguments = ("admin", "reset-password", "--email", "ANN@acme.test", "--password-stdin")
    assert shell.run(*arguments, stdin="granite-teapot-violin-7\n") == 0
    assert "password of ann@acme.test was changed" in shell.err
    assert shell.run("admin", "unlock", "--email", "ann@acme.test") == 0
    assert "ann@acme.test may try" in shell.err


@pytest.mark.parametrize("page", ["manage-people.md", "provision-with-scim.md"])
def test_the_commands_of_the_how_to_do_what_it_says(shell: Shell, page: str) -> None:
    shell.run(*BOOTSTRAP, "--password-stdin", stdin=f"{GOOD_PASSWORD}\n")
    text = (
        (Path(__file__).parents[3] / "docs" / "how-to" / page).read_text().replace("ada@example.com", "ann@acme.test")
    )
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert lines
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "keyturn"
        assert shell.run(*arguments) == 0, (line, shell.err)


def test_the_operator_invites_and_helps_with_links(shell: Shell) -> None:
    assert shell.run("admin", "invite", "--email", "bob@acme.test") == 1
    assert "keyturn admin bootstrap" in shell.err
    shell.run(*BOOTSTRAP, "--password-stdin", stdin=f"{GOOD_PASSWORD}\n")
    assert shell.run("admin", "invite", "--email", "bob@acme.test", "--project", "nothing=viewer") == 1
    assert "nothing" in shell.err
    assert shell.run("admin", "invite", "--email", "bob@acme.test", "--role", "admin") == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/sign-in/link/ktn_[a-z2-7]{59}\n", shell.out)
    assert shell.run("admin", "password-link", "--email", "bob@acme.test") == 1
    assert "has not accepted the invitation" in shell.err
    assert shell.run("admin", "password-link", "--email", "ann@acme.test") == 0
    assert "/sign-in/link/ktn_" in shell.out
    assert shell.run("admin", "reset-second-factor", "--email", "ann@acme.test") == 0
    assert "is off" in shell.err
    assert shell.run("admin", "scim-token", "--name", "Entra ID") == 0
    assert shell.out.startswith("ktn_")
    assert shell.run("admin", "second-factor-policy", "--required") == 0
    assert "Everybody needs a second factor." in shell.err


def test_on_a_terminal_the_password_is_asked_for_twice_without_echo(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from keyturn.cli.main import run; run()", *BOOTSTRAP]
    environ = {**os.environ, "KEYTURN_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environ, start_new_session=True
    )
    os.close(theirs)
    output = ""
    for prompt in ("Password: ", "Repeat the password: "):
        while not output.endswith(prompt):
            output += os.read(ours, 1024).decode()
        os.write(ours, f"{GOOD_PASSWORD}\n".encode())
    out, _ = child.communicate(timeout=60)
    while chunk := _rest(ours):
        output += chunk
    os.close(ours)
    assert child.returncode == 0, output
    assert out.startswith(b"ktn_")
    assert GOOD_PASSWORD not in output


def _rest(terminal: int) -> str:
    try:
        return os.read(terminal, 1024).decode()
    except OSError:  # the other side is closed
        return ""
