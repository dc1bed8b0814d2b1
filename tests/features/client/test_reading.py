"""Reading secrets for programs that must not stop: what the server says counts, and what it last said while it is silent."""

import errno
import os
import sys
import time
from email.utils import formatdate
from pathlib import Path

import keyring
import keyring.errors
import pytest

from keyturn.client import cache as cache_module
from keyturn.client import keys as keys_module
from keyturn.client.domain import Expired, Outage, Refusal, Source
from keyturn.errors import KeyturnError, Misconfigured, NotFound
from keyturn.kit.secret import Plaintext
from tests.features.client.conftest import Machine
from tests.features.client.standin import SECRET

OUTAGES = ("500", "502", "429", "proxy", "untagged")


def value(machine: Machine) -> str:
    return machine.reader().read().secret_set.values["API_KEY"].reveal()


def test_what_is_unchanged_is_not_sent_again_and_a_token_that_ended_is_replaced(machine: Machine) -> None:
    reader = machine.reader()
    first, second = reader.read().secret_set, reader.read().secret_set
    assert (first.values, first.tag) == (second.values, second.tag)
    machine.server.end_tokens()
    machine.server.secrets["API_KEY"] = "two"
    assert reader.read().secret_set.values == {"API_KEY": Plaintext("two")}
    signed_in = [each for each in machine.server.asked if each.endswith("/login")]
    assert len(signed_in) == 2, "once at first, and once because the token was refused"


@pytest.mark.parametrize("trouble", OUTAGES)
def test_an_outage_is_bridged_with_the_copy_and_said(machine: Machine, trouble: str) -> None:
    assert value(machine) == "one"
    machine.server.trouble = trouble
    machine.pass_time(hours=23)
    again = machine.reader()  # another process
    if trouble == "untagged":
        machine.server.secrets["API_KEY"] = "two"  # else it answers that nothing changed
    reading = again.read()
    assert reading.secret_set.values == {"API_KEY": Plaintext("one")}
    assert reading.stale is not None, "it says that this is a copy"
    machine.pass_time(hours=2)
    for reader in (again, machine.reader()):
        assert reader.copy() is None
        with pytest.raises(Expired, match="what it said at 2026-11-30 03:00 UTC may not be used any more") as ended:
            reader.read()
        assert ended.value.exit_status == 75, "not that of a server that is down and nothing more"


@pytest.mark.parametrize(("trouble", "kind"), [("refused", Refusal), ("gone", NotFound)])
def test_a_refusal_by_the_server_ends_the_copy_too(machine: Machine, trouble: str, kind: type[KeyturnError]) -> None:
    assert value(machine) == "one"
    machine.server.trouble = trouble
    reader = machine.reader()
    with pytest.raises(kind) as refused:
        reader.read()
    assert "request req-" in refused.value.message, "who administrates the server finds it by this"
    assert machine.copies == []
    machine.server.trouble = "500"
    with pytest.raises(Outage):
        reader.read()


def test_a_wrong_client_secret_is_a_refusal_and_never_shown(machine: Machine) -> None:
    client = machine.client(KEYTURN_CLIENT_SECRET="kt-wrong-canary")
    with pytest.raises(Refusal) as refused:
        client.server.read(Source("payments", "dev"))
    assert "kt-wrong-canary" not in f"{refused.value!r} {refused.value.message} {client}"


def test_a_value_that_the_identity_may_not_see_is_a_refusal(machine: Machine) -> None:
    machine.server.secrets["API_KEY"] = "<hidden-by-infisical>"
    with pytest.raises(Refusal, match="'API_KEY', and not its value"):
        machine.reader().read()


def test_errors_are_never_asked_about_more_often_than_success_but_three_times(machine: Machine) -> None:
    reader = machine.reader(interval=60)
    reader.read()
    assert reader.wait() == 60
    machine.server.trouble = "500"
    waits = []
    for _ in range(5):
        reader.read()
        waits.append(reader.wait())
    assert waits == [40, 40, 40, 60, 60], "as the server asked, and then as usual"
    machine.server.retry_after = formatdate(time.time() + 600, usegmt=True)
    reader.read()
    assert 590 < reader.wait() <= 600, "a date counts from the date of the answer"
    machine.server.trouble = "proxy"
    for _ in range(2):
        reader.read()
    assert reader.wait() == 60
    machine.server.trouble = ""
    reader.read()
    machine.server.trouble = "proxy"
    reader.read()
    assert reader.wait() == 1, "a short trouble is over soon"


def test_a_copy_opens_for_its_server_identity_and_folder_alone(machine: Machine) -> None:
    value(machine)
    held = machine.copy()
    assert held.load(machine.now) is not None
    others = [
        machine.copy(KEYTURN_CLIENT_ID="another"),
        machine.copy(KEYTURN_URL="https://other.example"),
        machine.copy(Source("payments", "prod")),
        machine.copy(Source("payments", "dev", "/billing")),
        machine.copy(Source("payments", "dev", recursive=True)),
    ]
    for other in others:
        assert other.load(machine.now) is None
        other.path.write_bytes(held.path.read_bytes())
        other.path.chmod(0o600)
        assert other.load(machine.now) is None, "also when the file is put in its place"
        assert "damaged, or was written with another key" in machine.told[-1]


def test_a_copy_tells_nothing_to_who_has_it_alone(machine: Machine) -> None:
    machine.server.secrets["API_KEY"] = "kt-value-canary"
    value(machine)
    (copy,) = machine.copies
    assert copy.stat().st_mode & 0o777 == 0o600
    files = [path for path in machine.home.rglob("*") if path.is_file()]
    assert not [path for path in files if b"canary" in path.read_bytes() or b"API_KEY" in path.read_bytes()]
    assert SECRET not in repr(machine.client())


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _of_a_newer_version(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"cache-1", b"cache-9"))


def _writable(path: Path) -> None:
    path.chmod(0o666)


def _linked(path: Path) -> None:
    aside = path.with_suffix(".moved")
    path.rename(aside)
    path.symlink_to(aside)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [_truncated, _of_a_newer_version, _writable, _linked, _folder])
def test_a_copy_that_cannot_be_trusted_is_not_used_and_that_is_said(machine: Machine, damage: object) -> None:
    value(machine)
    damage(machine.copies[0])  # type: ignore[operator]
    assert machine.reader().copy() is None
    assert "is not used" in machine.told[-1]
    machine.server.trouble = "500"
    with pytest.raises(Outage):
        machine.reader().read()


def test_a_copy_from_the_future_is_of_unknown_age(machine: Machine) -> None:
    value(machine)
    machine.pass_time(hours=-1)
    assert machine.reader().copy() is None


def test_a_full_disk_stops_nobody(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as at_first:
        at_first.setattr(keys_module, "write_file", full)
        assert value(machine) == "one"
        assert "NO COPY IS KEPT" in machine.told[-1]
        assert "(No space left on device)" in machine.told[-1]
    assert machine.copies == []
    machine.copy()  # now there is a key
    monkeypatch.setattr(cache_module, "write_file", full)
    assert value(machine) == "one"
    assert "cannot be written (No space left on device)" in machine.told[-1]


def test_a_key_is_there_whole_or_not_at_all(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    key, link = machine.home / ".local/state/keyturn/cache.key", os.link

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", die)
    with pytest.raises(KeyboardInterrupt):
        machine.copy()
    assert not key.exists(), "what is half written would refuse every later start"

    def lose_the_race(draft: Path, path: Path) -> None:
        path.write_bytes(b"f" * 64)
        path.chmod(0o600)
        link(draft, path)

    monkeypatch.setattr(os, "link", lose_the_race)
    first = machine.copy().key
    assert first == machine.copy().key, "of two that make it at once the first one counts"
    assert [path.name for path in key.parent.iterdir()] == ["cache.key"]


def test_a_key_that_others_can_write_or_that_is_too_short_is_refused(machine: Machine, tmp_path: Path) -> None:
    value(machine)
    key = machine.home / ".local/state/keyturn/cache.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o620)
    with pytest.raises(Misconfigured, match="others can write it"):
        machine.copy()
    short = tmp_path / "short"
    short.write_text("abc")
    with pytest.raises(Misconfigured, match="fewer than 32 characters") as refused:
        machine.copy(KEYTURN_CACHE_KEY_FILE=str(short))
    assert "KEYTURN_CACHE_KEY_FILE" in str(refused.value.fix)


def test_a_key_may_be_in_the_keyring_of_the_user(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    held: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(keyring, "get_password", lambda *entry: held.get(entry))
    monkeypatch.setattr(keyring, "set_password", lambda service, name, value: held.update({(service, name): value}))
    place = {"KEYTURN_CACHE_KEY_PLACE": "keyring"}
    assert machine.copy(**place).key == machine.copy(**place).key
    assert len(held) == 1
    assert not (machine.home / ".local").exists()

    def locked(*_: str) -> str:
        raise keyring.errors.KeyringLocked("canary")

    monkeypatch.setattr(keyring, "get_password", locked)
    with pytest.raises(Misconfigured, match=r"cannot be used \(KeyringLocked\)") as refused:
        machine.copy(**place)
    assert "KEYTURN_CACHE_KEY_FILE" in str(refused.value.fix)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(Misconfigured, match="not installed"):
        machine.copy(**place)
    with pytest.raises(Misconfigured, match="no place 'pocket'"):
        machine.copy(KEYTURN_CACHE_KEY_PLACE="pocket")


def test_an_answer_that_never_ends_is_an_outage(machine: Machine) -> None:
    value(machine)
    machine.server.trouble = "silent"
    reading = machine.reader(seconds=0.2).read()
    machine.server.let_go.set()
    assert reading.stale is not None
    assert "did not answer in time" in reading.stale.message
