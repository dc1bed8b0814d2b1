"""``keyturn credentiald``: a unit of systemd gets the credential that it may have; everything else gets nothing, and is told."""

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.client import credentiald as credentiald_module
from keyturn.client.agent_config import read_grants
from keyturn.client.credentiald import CredentialServer, listening
from keyturn.client.settings import read_settings
from keyturn.errors import Misconfigured
from tests.features.client.conftest import Machine

GRANTS = """
[[credential]]
unit = "billing.service"
id = "api-key"
secret = "API_KEY"

[[credential]]
unit = "billing.service"
id = "all"
format = "json"
"""


class Systemd:
    """Asks as the service manager does: once for each credential, from an address that names the unit."""

    def __init__(self, machine: Machine, folder: Path, uids: frozenset[int]) -> None:
        (folder / "credentials.toml").write_text(GRANTS)
        grants = read_grants(folder / "credentials.toml", read_settings(machine.environ, {}))
        self.path = folder / "credentials.sock"
        self.listening = listening(self.path, {})
        self.server = CredentialServer(grants, lambda _source: machine.reader(), machine.told.append, uids)

    def ask(self, unit: str, credential: str, name: bytes | None = None) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            own = f"\0{secrets.token_hex(8)}/unit/{unit}/{credential}".encode()
            asking.bind(own if name is None else name)
            asking.connect(str(self.path))
            answering = threading.Thread(target=lambda: self.server.answer(self.listening.accept()[0]))
            answering.start()
            content = bytearray()
            while piece := asking.recv(65536):
                content += piece
            answering.join()
            return bytes(content)


@pytest.fixture
def systemd(machine: Machine, tmp_path: Path) -> Iterator[Systemd]:
    opened = Systemd(machine, tmp_path, frozenset({os.getuid()}))
    yield opened
    opened.listening.close()


def test_a_unit_gets_what_it_may_have_as_it_is_now(systemd: Systemd, machine: Machine) -> None:
    assert systemd.ask("billing.service", "api-key") == b"one"
    machine.server.secrets["API_KEY"] = "two"
    assert systemd.ask("billing.service", "api-key") == b"two"
    assert systemd.ask("billing.service", "all") == b'{\n  "API_KEY": "two"\n}\n'
    assert systemd.path.stat().st_mode & 0o777 == 0o600
    assert machine.told == []


@pytest.mark.parametrize(
    ("unit", "credential", "name"),
    [
        ("other.service", "api-key", None),
        ("billing.service", "other", None),
        ("billing.service/../x", "api-key", None),
        ("", "", b""),
        ("", "", b"\0abc/unit/billing.service/api-key/x"),
        ("", "", b"\0abc/user/billing.service/api-key"),
    ],
)
def test_everything_else_gets_nothing_and_is_told(
    systemd: Systemd, machine: Machine, unit: str, credential: str, name: bytes | None
) -> None:
    assert systemd.ask(unit, credential, name) == b""
    assert len(machine.told) == 1
    assert "nothing" in machine.told[0]
    assert machine.server.asked == []


def test_another_user_gets_nothing(machine: Machine, tmp_path: Path) -> None:
    systemd = Systemd(machine, tmp_path, frozenset({os.getuid() + 1}))
    try:
        assert systemd.ask("billing.service", "api-key") == b""
        assert f"A connection of user {os.getuid()} that is not one of systemd's" in machine.told[0]
    finally:
        systemd.listening.close()


def test_an_outage_is_bridged_and_a_refusal_ends_it(systemd: Systemd, machine: Machine) -> None:
    assert systemd.ask("billing.service", "api-key") == b"one"
    machine.server.trouble = "502"
    assert systemd.ask("billing.service", "api-key") == b"one"
    assert "got 'api-key' as of 2026-11-30" in machine.told[-1]
    machine.server.trouble = "refused"
    assert systemd.ask("billing.service", "api-key") == b""
    assert "You may not." in machine.told[-1]
    machine.server.trouble = "502"
    assert systemd.ask("billing.service", "api-key") == b""


def test_what_nobody_foresaw_costs_one_answer_and_not_the_service(
    systemd: Systemd, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("kt-value-canary")

    with monkeypatch.context() as once:
        once.setattr(credentiald_module, "content_of", broken)
        assert systemd.ask("billing.service", "api-key") == b""
    assert machine.told == ["A connection got nothing, as answering it failed unexpectedly (RuntimeError)."]
    assert systemd.ask("billing.service", "api-key") == b"one"


def test_a_secret_that_is_too_large_or_not_there_is_told(systemd: Systemd, machine: Machine) -> None:
    machine.server.secrets = {"API_KEY": "x" * (1024 * 1024 + 1)}
    assert systemd.ask("billing.service", "api-key") == b""
    assert "more than 1048576 bytes" in machine.told[-1]
    machine.server.secrets = {}
    assert systemd.ask("billing.service", "api-key") == b""
    assert "there is no secret 'API_KEY'" in machine.told[-1]


def test_the_place_of_the_socket_is_not_taken_from_something_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(Misconfigured, match="that is no socket"):
        listening(tmp_path / "file", {})
    with pytest.raises(Misconfigured, match="no socket to listen on"):
        listening(None, {"LISTEN_PID": "1", "LISTEN_FDS": "1"})
    listening(tmp_path / "sock", {}).close()
    listening(tmp_path / "sock", {}).close()  # of one that died


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "needs at least one [[credential]]"),
        (GRANTS.replace('"billing.service"', '"a/b"'), "no slash"),
        (GRANTS.replace('id = "all"', 'id = "api-key"'), "only once"),
        (GRANTS + "mode = '0600'", "means nothing there"),
    ],
)
def test_a_file_that_cannot_work_is_refused_at_the_start(
    machine: Machine, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "credentials.toml").write_text(text)
    with pytest.raises(Misconfigured) as refused:
        read_grants(tmp_path / "credentials.toml", read_settings(machine.environ, {}))
    assert says in refused.value.message
