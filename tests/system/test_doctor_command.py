"""``keyturn doctor`` as an operator runs it: status 0 when all is well, else 1 and what to do about each fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.crypto.root import generate
from tests.simulation.seeds import share
from tests.system.command import Home, closed_port, taken_port
from tests.system.installation import Installation, installation


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("doctor")) as place_of_module:
        yield place_of_module


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, tmp_path)


def settings_of(place: Installation) -> dict[str, str]:
    return {name: value for name, value in place.environ.items() if name not in {"HOME", "PATH"}} | {"PORT": "0"}


def test_a_sound_installation_passes_also_beside_its_running_server(home: Home, place: Installation) -> None:
    settings = settings_of(place)
    with home.serving(**settings) as server:
        ended = home.run("doctor", **settings | {"PORT": server.port})
        server.stop()
    assert ended.status == 0, ended.out
    assert set(ended.levels.values()) == {"ok"}, ended.out
    assert "Keyturn already serves" in ended.out
    assert {"port", "database", "data keys", "sign-in service", "Microsoft Graph"} <= set(ended.levels)


def test_each_fault_is_named_with_its_remedy(home: Home, place: Installation) -> None:
    """A third of them in each run, each a process of its own; what is found, ``tests/features/boot`` tries in this one."""
    settings = settings_of(place)
    nowhere = closed_port()
    database = f"postgresql://keyturn:hunter2@127.0.0.1:{nowhere}/keyturn"
    with taken_port() as used_port:
        faults = {
            "data keys": ({"ENCRYPTION_KEY": generate()}, "Give the key this database was made with"),
            "root key": ({"ENCRYPTION_KEY": "hunter2"}, "openssl rand -hex 32"),
            "database": ({"DB_CONNECTION_URI": database}, "Check DB_CONNECTION_URI"),
            "sign-in service": ({"KEYTURN_AUTHORITY": f"https://localhost:{nowhere}"}, "Allow https to localhost"),
            "port": ({"PORT": used_port}, "choose another with PORT"),
            "settings": ({"PORT": "harbour"}, "Example: "),
        }
        for subject, (change, remedy) in share(list(faults.items()), 3):
            ended = home.run("doctor", **settings | change)
            assert ended.status == 1, f"{subject}: {ended.out}"
            assert ended.levels[subject] == "fail", ended.out
            assert remedy in ended.out
            assert "hunter2" not in ended.out + ended.err
            assert ended.err == ""
