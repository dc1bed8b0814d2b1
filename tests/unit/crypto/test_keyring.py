"""The keyring: which key seals, which key opens, and what a wrong root key looks like."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.crypto.envelope import SEALS_PER_KEY, DataKey, key_id_of
from keyturn.crypto.keyring import LIFE, REFRESH, Keyring, KeyringSealer
from keyturn.crypto.root import GivenRoot, KeyFile, RootKey, RootKeys, generate
from keyturn.db.tables import data_keys
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext, SealContext
from tests.databases import sqlite_database

PLACE = SealContext("app_connections", "4a6f", "secret", 1)
SECRET = Plaintext("xyz8Q~CanaryCanaryCanaryCanaryCanary")


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(datetime(2026, 3, 1, tzinfo=UTC))


def root() -> RootKey:
    return RootKey.parse(generate(), "ENCRYPTION_KEY")


def given_root(current: RootKey, previous: RootKey | None = None) -> GivenRoot:
    return GivenRoot(RootKeys(current, previous))


def ids(database: Database) -> list[str]:
    with database.read() as tx:
        return [row["id"] for row in tx.rows(sa.select(data_keys).order_by(data_keys.c.created_at))]


def test_another_process_opens_what_one_sealed(database: Database, clock: MovableClock) -> None:
    key = root()
    sealed = KeyringSealer(Keyring.open(database, given_root(key), clock)).seal(SECRET, PLACE)
    other = KeyringSealer(Keyring.open(database, given_root(key), clock))
    assert other.open(sealed, PLACE) == SECRET
    assert len(ids(database)) == 1, "opening an existing database makes no key"


def test_a_wrong_root_key_is_told_by_ids_only(database: Database, clock: MovableClock) -> None:
    right, wrong = root(), root()
    Keyring.open(database, given_root(right), clock)
    with pytest.raises(Misconfigured) as caught:
        Keyring.open(database, given_root(wrong), clock)
    assert right.id in caught.value.message
    assert wrong.id in caught.value.message
    assert "ENCRYPTION_KEY" in caught.value.diagnostics()


def test_a_damaged_data_key_is_told_from_a_wrong_root_key(database: Database, clock: MovableClock) -> None:
    key = root()
    Keyring.open(database, given_root(key), clock)
    with database.write() as tx:
        tx.run(sa.update(data_keys).values(wrapped="AAAA"))
    with pytest.raises(Misconfigured, match="damaged"):
        Keyring.open(database, given_root(key), clock)


def test_a_wrapped_key_copied_to_another_row_does_not_open(database: Database, clock: MovableClock) -> None:
    key = root()
    ring = Keyring.open(database, given_root(key), clock)
    ring.add_key(key)
    with database.write() as tx:
        first, second = tx.rows(sa.select(data_keys))
        tx.run(sa.update(data_keys).where(data_keys.c.id == first["id"]).values(wrapped=second["wrapped"]))
    with pytest.raises(Misconfigured, match="damaged"):
        Keyring.open(database, given_root(key), clock)


def test_a_value_whose_data_key_is_gone_says_so(database: Database, clock: MovableClock) -> None:
    sealer = KeyringSealer(Keyring.open(database, given_root(root()), clock))
    foreign = DataKey("zzzz2345", bytes(range(32))).seal(SECRET, PLACE)
    with pytest.raises(Misconfigured, match="zzzz2345") as caught:
        sealer.open(foreign, PLACE)
    assert caught.value.code == "crypto.data_key_missing"


def test_a_running_server_opens_values_under_a_key_made_meanwhile(database: Database, clock: MovableClock) -> None:
    key = root()
    running = KeyringSealer(Keyring.open(database, given_root(key), clock))
    rotating = Keyring.open(database, given_root(key), clock)
    rotating.add_key(key)
    sealed = KeyringSealer(rotating).seal(SECRET, PLACE)
    assert running.open(sealed, PLACE) == SECRET


def test_a_running_server_seals_with_a_newer_key_after_a_while(database: Database, clock: MovableClock) -> None:
    key = root()
    running = KeyringSealer(Keyring.open(database, given_root(key), clock))
    clock.advance(1)
    newer = Keyring.open(database, given_root(key), clock).add_key(key)
    clock.advance(REFRESH.total_seconds())
    assert key_id_of(running.seal(SECRET, PLACE)) == newer


def test_values_open_and_seal_inside_a_transaction(database: Database, clock: MovableClock) -> None:
    key = root()
    running = KeyringSealer(Keyring.open(database, given_root(key), clock))
    rotating = Keyring.open(database, given_root(key), clock)
    rotating.add_key(key)
    sealed = KeyringSealer(rotating).seal(SECRET, PLACE)
    clock.advance(REFRESH.total_seconds())
    with database.write():
        assert running.open(sealed, PLACE) == SECRET
        assert running.open(running.seal(SECRET, PLACE), PLACE) == SECRET


def test_a_server_that_does_not_know_the_new_root_yet_keeps_working(database: Database, clock: MovableClock) -> None:
    old, new = root(), root()
    running = KeyringSealer(Keyring.open(database, given_root(old), clock))
    before = running.seal(SECRET, PLACE)
    clock.advance(1)
    rotating = Keyring.open(database, given_root(new, old), clock)
    rotating.add_key(new)
    after = KeyringSealer(rotating).seal(SECRET, PLACE)
    clock.advance(REFRESH.total_seconds())
    assert running.open(before, PLACE) == SECRET
    assert running.open(running.seal(SECRET, PLACE), PLACE) == SECRET
    with pytest.raises(Misconfigured, match=new.id):
        running.open(after, PLACE)


def test_sealing_goes_on_when_the_key_file_vanishes_while_the_server_runs(
    database: Database, clock: MovableClock, tmp_path: Path
) -> None:
    file = KeyFile(tmp_path / "root.key", lambda _: None)
    ring = Keyring.open(database, file, clock)
    sealer = KeyringSealer(ring)
    ring.add_key(file.load().current)
    file.path.unlink()
    clock.advance(REFRESH.total_seconds())
    assert sealer.open(sealer.seal(SECRET, PLACE), PLACE) == SECRET


def test_sealing_goes_on_when_the_database_does_not_answer(tmp_path: Path, clock: MovableClock) -> None:
    with sqlite_database(tmp_path) as database:
        sealer = KeyringSealer(Keyring.open(database, given_root(root()), clock))
        with database.write() as tx:
            tx.connection.exec_driver_sql("ALTER TABLE data_keys RENAME TO gone")
        clock.advance(REFRESH.total_seconds())
        assert sealer.open(sealer.seal(SECRET, PLACE), PLACE) == SECRET


def test_an_old_data_key_is_followed_by_a_new_one(database: Database, clock: MovableClock) -> None:
    ring = Keyring.open(database, given_root(root()), clock)
    sealer = KeyringSealer(ring)
    before = sealer.seal(SECRET, PLACE)
    ring.maintain()
    assert len(ids(database)) == 1
    clock.advance(LIFE.total_seconds())
    ring.maintain()
    ring.maintain()
    assert len(ids(database)) == 2
    assert key_id_of(sealer.seal(SECRET, PLACE)) == ids(database)[-1] != key_id_of(before)
    assert sealer.open(before, PLACE) == SECRET


def test_a_worn_data_key_is_followed_by_a_new_one(database: Database, clock: MovableClock) -> None:
    ring = Keyring.open(database, given_root(root()), clock)
    with database.write() as tx:
        tx.run(sa.update(data_keys).values(seals=SEALS_PER_KEY - 2))
    for _ in range(2):
        KeyringSealer(ring).seal(SECRET, PLACE)
    clock.advance(1)
    ring.maintain()
    assert len(ids(database)) == 2


def test_a_new_data_key_during_a_change_of_root_stays_readable_for_servers_not_yet_changed(
    database: Database, clock: MovableClock
) -> None:
    old, new = root(), root()
    running = KeyringSealer(Keyring.open(database, given_root(old), clock))
    changed = Keyring.open(database, given_root(new, old), clock)
    clock.advance(LIFE.total_seconds())
    changed.maintain()
    assert running.open(KeyringSealer(changed).seal(SECRET, PLACE), PLACE) == SECRET


def test_nothing_of_a_key_is_stored_in_the_clear(database: Database, clock: MovableClock) -> None:
    text = generate()
    Keyring.open(database, given_root(RootKey.parse(text, "ENCRYPTION_KEY")), clock)
    with database.read() as tx:
        stored = str(tx.rows(sa.select(data_keys)))
    assert text not in stored


def test_threads_share_one_sealer(database: Database, clock: MovableClock) -> None:
    key = root()
    ring = Keyring.open(database, given_root(key), clock)
    sealer = KeyringSealer(ring)
    opened: list[bool] = []

    def work(number: int) -> None:
        for turn in range(50):
            place = SealContext("credentials", f"{number}-{turn}", "value")
            clock.advance(1)
            opened.append(sealer.open(sealer.seal(SECRET, place), place) == SECRET)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    ring.add_key(key)
    for thread in threads:
        thread.join()
    assert opened == [True] * 200
