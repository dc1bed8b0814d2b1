"""Root keys that could be found by trying: no new database gets one, one that has it opens with a warning."""

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keyturn.app.startup import open_keyring
from keyturn.crypto import rewrap
from keyturn.crypto.keyring import Keyring
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys, generate
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.settings.model import Settings

CLOCK = MovableClock(datetime(2026, 3, 1, tzinfo=UTC))
SENTENCE = base64.b64encode(b"The quick brown fox jumps over 1").decode()
GUESSABLE = [
    hashlib.md5(b"").hexdigest(),
    hashlib.md5(b"samsung").hexdigest(),
    hashlib.sha256(b"").hexdigest(),
    hashlib.sha256(b"password").hexdigest(),
    hashlib.sha256(b"password\n").hexdigest(),
    hashlib.sha256(b"Keyturn").hexdigest(),
    base64.b64encode(hashlib.sha256(b"SECRET").digest()).decode(),
    "2b7e151628aed2a6abf7158809cf4f3c",
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    SENTENCE,
    b"sixteen letters!".hex(),
]


def given_root(text: str) -> GivenRoot:
    return GivenRoot(RootKeys(RootKey.parse(text, "ENCRYPTION_KEY")))


@pytest.mark.parametrize("text", GUESSABLE)
def test_they_are_known(text: str) -> None:
    assert RootKey.parse(text, "ENCRYPTION_KEY").guessable


def test_generated_keys_are_not_among_them() -> None:
    assert not any(RootKey.parse(generate(), "ENCRYPTION_KEY").guessable for _ in range(20))


def test_no_new_database_is_sealed_under_one(database: Database) -> None:
    with pytest.raises(Misconfigured) as caught:
        Keyring.open(database, given_root(GUESSABLE[3]), CLOCK)
    assert caught.value.code == "crypto.root_key_weak"
    assert "keyturn keys generate" in str(caught.value.fix)
    assert "password" not in caught.value.message
    assert Keyring(database, given_root(generate()), CLOCK).verify() == 0, "nothing was made"


def test_a_database_that_has_one_opens_with_a_warning_and_is_led_away_from_it(
    database: Database, tmp_path: Path
) -> None:
    old = RootKey.parse(GUESSABLE[3], "ENCRYPTION_KEY")
    Keyring(database, GivenRoot(RootKeys(old)), CLOCK).add_key(old)  # as a release before did
    settings = Settings(data_dir=tmp_path, database_url="sqlite://", encryption_key=Plaintext(GUESSABLE[3]))
    lines: list[str] = []
    assert open_keyring(settings, database, CLOCK, lines.append).newest()
    assert len(lines) == 1
    assert "WARNING: ENCRYPTION_KEY is a key that can be found by trying" in lines[0]
    assert "keyturn keys rotate" in lines[0]
    new = RootKey.parse(generate(), "ENCRYPTION_KEY")
    changed = GivenRoot(RootKeys(new, old))
    rewrap.rotate(database, changed, CLOCK, progress=lambda _: None, pause=lambda _: None)
    lines.clear()
    assert Keyring.open(database, GivenRoot(RootKeys(new)), CLOCK)


def test_keys_are_not_changed_to_one(database: Database) -> None:
    old = RootKey.parse(generate(), "ENCRYPTION_KEY")
    Keyring.open(database, GivenRoot(RootKeys(old)), CLOCK)
    weak = GivenRoot(RootKeys(RootKey.parse(SENTENCE, "ENCRYPTION_KEY"), old))
    with pytest.raises(Misconfigured, match="found by trying"):
        rewrap.rotate(database, weak, CLOCK, progress=lambda _: None, pause=lambda _: None)
    assert Keyring.open(database, GivenRoot(RootKeys(old)), CLOCK)
