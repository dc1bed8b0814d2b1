"""The root key: what is accepted, what is refused, and how the key file is kept."""

import base64
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.crypto.root import KeyFile, RootKey, generate, write_private
from keyturn.errors import Misconfigured

KEY = "8f1c3a5be2d97640b1a2f3c4d5e60718293a4b5c6d7e8f90a1b2c3d4e5f60798"
SHORT = "9d3c1f0be2a47658c1d2e3f405162738"


def refused(text: str) -> Misconfigured:
    with pytest.raises(Misconfigured) as caught:
        RootKey.parse(text, "ENCRYPTION_KEY")
    return caught.value


def test_hex_and_base64_of_the_same_bytes_are_the_same_key() -> None:
    raw = bytes.fromhex(KEY)
    texts = [KEY, KEY.upper(), f" {KEY}\n", base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()]
    texts.append(base64.b64encode(raw).decode().rstrip("="))
    assert len({RootKey.parse(text, "ENCRYPTION_KEY").id for text in texts}) == 1


def test_a_key_of_16_bytes_is_expanded_the_same_way_every_time() -> None:
    # Changing the expansion would lock everybody who came with such a key out of their database.
    assert RootKey.parse(SHORT, "ENCRYPTION_KEY").id == RootKey.parse(SHORT.upper(), "ENCRYPTION_KEY").id
    assert RootKey.parse(SHORT, "ENCRYPTION_KEY").id == "d81bf272f2360ddb"
    assert RootKey.parse(KEY, "ENCRYPTION_KEY").id == "07b07852d468e370"


@pytest.mark.parametrize(
    "text",
    [
        "00" * 32,
        "ff" * 16,
        "0123456789abcdef" * 2,
        "0123456789abcdef" * 4,
        "000102030405060708090a0b0c0d0e0f",
        "6c1fe4e407b8911c104518103505b218",
        "f13dbc92aaaf86fa7cb0ed8ac3265f47",
        base64.b64encode(b"passwordpasswordpasswordpassword").decode(),
        SHORT * 2,
    ],
)
def test_a_key_that_anybody_could_guess_is_refused(text: str) -> None:
    error = refused(text)
    assert error.code == "crypto.root_key_weak"
    assert "openssl rand -hex 32" in error.diagnostics()


@pytest.mark.parametrize(
    "text", ["", "changeme", KEY[:-1], KEY + "00", "ü" * 32, "g" * 64, "A" * 42, "\x00" * 32, "=" * 44]
)
def test_what_is_no_key_is_refused_with_the_command_that_makes_one(text: str) -> None:
    error = refused(text)
    assert error.code == "crypto.root_key_malformed"
    assert "ENCRYPTION_KEY" in error.message
    assert "openssl rand -hex 32" in error.diagnostics()


@given(st.text(max_size=100))
def test_no_text_crashes_the_reader_or_shows_in_its_error(text: str) -> None:
    try:
        RootKey.parse(text, "ENCRYPTION_KEY")
    except Misconfigured as error:
        assert len(text) < 12 or text not in error.diagnostics()  # noqa: PT017 - both outcomes are right


def test_generated_keys_are_accepted_and_differ() -> None:
    assert RootKey.parse(generate(), "ENCRYPTION_KEY").id != RootKey.parse(generate(), "ENCRYPTION_KEY").id


def test_a_wrapped_key_opens_only_under_its_id_and_root() -> None:
    root, other = RootKey.parse(KEY, "a"), RootKey.parse(SHORT, "b")
    data_key = os.urandom(32)
    wrapped = root.wrap("abcd2345", data_key)
    assert root.unwrap("abcd2345", wrapped) == data_key
    assert root.unwrap("abcd2346", wrapped) is None
    assert other.unwrap("abcd2345", wrapped) is None
    assert root.unwrap("abcd2345", wrapped[:-2]) is None
    assert root.unwrap("abcd2345", "not base64 !") is None
    assert KEY not in repr(root)


def test_the_key_file_is_made_once_private_with_a_notice(tmp_path: Path) -> None:
    notices: list[str] = []
    path = tmp_path / "data" / "root.key"
    os.umask(0)
    first = KeyFile(path, notices.append).load(may_create=True)
    again = KeyFile(path, notices.append).load(may_create=True)
    assert first.current.id == again.current.id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["root.key"]
    assert len(notices) == 1
    assert "Back it up" in notices[0]
    assert path.read_text().strip() not in notices[0]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    notices: list[str] = []

    def begin(_number: int) -> str:
        barrier.wait()
        return KeyFile(tmp_path / "root.key", notices.append).load(may_create=True).current.id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(begin, range(8)))) == 1
    assert len(notices) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["root.key"]


def test_a_missing_key_file_is_never_replaced_silently(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="missing") as caught:
        KeyFile(tmp_path / "root.key", print).load()
    assert "backup" in caught.value.diagnostics()
    assert not (tmp_path / "root.key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o610])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "root key"
    write_private(path, KEY)
    path.chmod(mode)
    with pytest.raises(Misconfigured) as caught:
        KeyFile(path, print).load()
    assert f"chmod 600 '{path}'." in caught.value.diagnostics()


@pytest.mark.parametrize("mode", [0o660, 0o640])
def test_a_key_file_that_a_volume_gave_to_our_group_is_read_with_a_warning(tmp_path: Path, mode: int) -> None:
    path, notices = tmp_path / "root.key", list[str]()
    write_private(path, KEY)
    path.chmod(mode)
    tmp_path.chmod(0o2770)
    for _ in range(2):
        assert KeyFile(path, notices.append).load().current.id == RootKey.parse(KEY, "x").id
    assert [f"mode {mode:04o}" in notice for notice in notices] == [True, True], "at each start"


@pytest.mark.parametrize(
    ("file_mode", "folder_mode"), [(0o664, 0o2770), (0o661, 0o2770), (0o606, 0o2770), (0o660, 0o770), (0o670, 0o2770)]
)
def test_all_other_modes_are_refused_and_the_way_out_of_kubernetes_is_named(
    tmp_path: Path, file_mode: int, folder_mode: int
) -> None:
    path = tmp_path / "root.key"
    write_private(path, KEY)
    path.chmod(file_mode)
    tmp_path.chmod(folder_mode)
    with pytest.raises(Misconfigured) as caught:
        KeyFile(path, print).load()
    assert "ENCRYPTION_KEY" in caught.value.diagnostics()
    assert "fsGroupChangePolicy" in caught.value.diagnostics()


def test_a_key_file_of_a_group_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    write_private(path, KEY)
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(tmp_path, -1, 54321)
    os.chown(path, -1, 54321)
    path.chmod(0o660)
    tmp_path.chmod(0o2770)
    with pytest.raises(Misconfigured, match="may be read by other users"):
        KeyFile(path, print).load()


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 40, KEY[:20].encode(), b"\n"])
def test_a_damaged_key_file_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Misconfigured, match="key file"):
        KeyFile(path, print).load(may_create=True)
    assert path.read_bytes() == content


def test_changing_the_key_file_keeps_the_old_key_until_it_is_forgotten(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "root.key", lambda _: None)
    before = file.load(may_create=True)
    during = file.replace()
    assert during.previous is not None
    assert during.previous.id == before.current.id != during.current.id
    assert file.replace().current.id == during.current.id, "a change under way is continued, not begun again"
    file.forget_previous()
    file.forget_previous()
    assert file.load().current.id == during.current.id
    assert file.load().previous is None


def test_a_change_of_the_key_file_cut_short_before_the_swap_is_finished_by_the_next(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "root.key", lambda _: None)
    before = file.load(may_create=True)
    write_private(file.previous_path, file.path.read_text())
    after = file.replace()
    assert after.current.id != before.current.id
    assert after.find(before.current.id) is not None
