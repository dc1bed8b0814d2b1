"""The command on a machine where nothing was configured: it serves, tells what it made, and ends in order."""

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from keyturn.crypto.root import generate
from tests.simulation.seeds import share
from tests.system.command import PATIENCE, Home, taken_port

PASSWORD = "vellum-orbit-pickle-94"
BOOTSTRAP = ("admin", "bootstrap", "--email", "ada@example.com", "--organization", "Contoso", "--password-stdin")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folders = Home(tmp_path / "home", tmp_path / "here")
    folders.home.mkdir()
    folders.here.mkdir()
    return folders


@pytest.fixture
def service_manager(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd listens at, to be told that a service is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        yield manager


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder that a server left behind."""
    folder = tmp_path_factory.mktemp("started")
    with Home(folder, folder).serving(PORT="0") as server:
        assert server.stop().status == 0
    return Home(folder, folder).data


def test_it_serves_without_any_configuration_and_ends_cleanly(home: Home, service_manager: socket.socket) -> None:
    with home.serving(PORT="0", NOTIFY_SOCKET=service_manager.getsockname()) as server:
        assert service_manager.recv(100) == b"READY=1"
        assert server.url.startswith("http://127.0.0.1:")
        assert server.get("/healthz").json() == {"ok": True}
        assert server.get("/readyz").json() == {"ok": True, "database": True, "writable": True, "worker": True}
        assert server.get("/api/status").json()["message"] == "Ok"
        assert home.key_file.stat().st_mode & 0o777 == 0o600
        assert home.data.stat().st_mode & 0o777 == 0o700
        command = home.run(*BOOTSTRAP, stdin=f"{PASSWORD}\n")
        assert (command.status, command.out.count("\n")) == (0, 1), "standard output holds the token alone"
        assert "ada@example.com is its admin" in command.err
        token = command.out.strip()
        assert server.get("/api/v1/projects", token).json() == {"projects": []}
        assert server.get("/api/v1/projects").status_code == 401
        again = home.run(*BOOTSTRAP, stdin=f"{PASSWORD}\n")
        assert (again.status, again.out, again.err.count("\n")) == (1, "", 2)
        first = server.stop()
    assert first.status == 0
    assert f"A new root key was made: {home.key_file}. Back it up" in first.err
    assert "keyturn admin bootstrap --email" in first.err
    assert re.search(
        r"Open http://127\.0\.0\.1:\d+/setup and enter the set-up code [a-z2-7]{4}(-[a-z2-7]{4}){3}\n", first.err
    )
    assert "Traceback" not in first.err
    assert not list(home.here.iterdir()), "nothing is left where the command was typed"
    key = home.key_file.read_text()
    half = {"INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_ID": "11111111-2222-4333-8444-555555555555"}
    with home.serving(PORT="0", **half) as server:
        assert server.get("/api/v1/projects", token).status_code == 200
        second = server.stop()
    assert (second.status, home.key_file.read_text()) == (0, key)
    assert "root key" not in second.err
    assert "bootstrap" not in second.err
    assert "Warning: The OAuth application has only one of client id and client secret. Set both" in second.err


def test_the_code_of_an_earlier_start_is_shown_again_and_a_given_one_is_never_printed(home: Home) -> None:
    def code_of(text: str) -> str:
        return text.partition("enter the set-up code ")[2].partition("\n")[0]

    with home.serving(PORT="0") as server:
        first = code_of(server.stop().err)
    with home.serving(PORT="0") as server:
        assert code_of(server.stop().err) == first
    fresh = home.run("admin", "setup-code")
    assert (fresh.status, len(fresh.out.strip())) == (0, 19)
    assert fresh.out.strip() != first
    own_code = "given-by-an-operator"
    with home.serving(PORT="0", KEYTURN_SETUP_CODE=own_code) as server:
        body = {"email": "ada@example.com", "password": PASSWORD, "organization": "Contoso"}
        url = f"{server.url}/api/v1/admin/bootstrap"
        wrong = httpx2.post(url, json=body | {"setupCode": fresh.out}, timeout=PATIENCE, trust_env=False)
        assert (wrong.status_code, wrong.json()["code"]) == (401, "access.setup_code_wrong")
        right = httpx2.post(
            url, json=body, headers={"x-keyturn-setup-code": own_code}, timeout=PATIENCE, trust_env=False
        )
        assert right.status_code == 200
        ended = server.stop()
    assert "which is the value of KEYTURN_SETUP_CODE" in ended.err
    assert own_code not in ended.err + ended.out
    assert home.run("admin", "setup-code").status == 1, "the server is set up"


@pytest.mark.parametrize(
    ("damage", "says", "fix"),
    share(
        [
            ("another key", "ENCRYPTION_KEY is the wrong key", "Give the key this database was made with"),
            ("no key", "its key file", "Put the key file back from your backup"),
            ("half a key", "is not a key", "openssl rand -hex 32"),
            ("exposed key", "may be read by other users", "chmod 600"),
        ],
        2,
    ),
)
def test_a_server_that_cannot_open_its_database_says_so_in_one_sentence(
    home: Home, started: Path, damage: str, says: str, fix: str
) -> None:
    shutil.copytree(started, home.data)
    variables = {"PORT": "0"}
    if damage == "another key":
        home.key_file.unlink()  # with the file there the server starts, and says that the other one is not in use
        variables["ENCRYPTION_KEY"] = generate()
    elif damage == "no key":
        home.key_file.unlink()
    elif damage == "half a key":
        home.key_file.write_text(home.key_file.read_text()[:20])
    else:
        home.key_file.chmod(0o644)
    ended = home.run("serve", **variables)
    assert (ended.status, ended.out) == (2, "")
    error, help_line = ended.err.splitlines()
    assert error.startswith("Error: ")
    assert says in error
    assert help_line.startswith("Fix: ")
    assert fix in help_line


def test_a_taken_port_and_an_unreachable_database_are_one_sentence_each(home: Home) -> None:
    with taken_port() as port:
        conflict = home.run("serve", PORT=port)
        lost = home.run(
            "serve",
            PORT="0",
            ENCRYPTION_KEY=generate(),
            DB_CONNECTION_URI=f"postgresql://keyturn:hunter2@127.0.0.1:{port}/keyturn?connect_timeout=2",
        )
    assert (conflict.status, lost.status) == (2, 2)
    assert f"Error: Cannot listen on 127.0.0.1:{port}: Address already in use" in conflict.err
    assert "choose another with PORT" in conflict.err
    assert "Error: The database cannot be reached" in lost.err
    assert "Fix: Check DB_CONNECTION_URI" in lost.err
    assert "hunter2" not in lost.err
    assert "Traceback" not in conflict.err + lost.err
