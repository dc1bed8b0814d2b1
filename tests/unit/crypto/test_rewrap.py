"""Changing keys while servers run: nothing is lost, whatever happens meanwhile, and a repeat finishes what was cut short."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from keyturn.crypto import rewrap
from keyturn.crypto.envelope import key_id_of
from keyturn.crypto.keyring import REFRESH, Keyring, KeyringSealer
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys, generate
from keyturn.db.tables import data_keys, metadata, processes
from keyturn.db.types import SealedText
from keyturn.db.unit import Database, Tx
from keyturn.errors import Misconfigured
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext, SealContext, Sealed

tables = sa.MetaData()
notes = sa.Table(
    "notes",
    tables,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("secret", SealedText, nullable=False),
    sa.Column("secret_version", sa.Integer, nullable=False),
)
letters = sa.Table(
    "letters",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("body", SealedText),
    sa.Column("other", SealedText),
)
COUNT = 120


class World:
    """A database with values sealed under an old root key, and a server that keeps running with it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = MovableClock(datetime(2026, 3, 1, tzinfo=UTC))
        self.old, self.new = (RootKey.parse(generate(), "ENCRYPTION_KEY") for _ in range(2))
        self.both = GivenRoot(RootKeys(self.new, self.old))
        self.paused: list[float] = []
        self.server = KeyringSealer(Keyring.open(database, GivenRoot(RootKeys(self.old)), self.clock))
        with database.write() as tx:
            for number in range(COUNT):
                self.put_note_in(tx, self.server, f"n{number:04}", number + 1)
            for number in range(1, 4):
                tx.run(letters.insert().values(id=number, body=self.letter(self.server, number), other=None))
        self.clock.advance(7200)

    def put_note(self, sealer: KeyringSealer, note: str, version: int) -> None:
        with self.database.write() as tx:
            self.put_note_in(tx, sealer, note, version)

    def put_note_in(self, tx: Tx, sealer: KeyringSealer, note: str, version: int) -> None:
        sealed = sealer.seal(Plaintext(f"secret of {note} v{version}"), SealContext("notes", note, "secret", version))
        tx.run(notes.delete().where(notes.c.id == note))
        tx.run(notes.insert().values(id=note, secret=sealed, secret_version=version))

    def letter(self, sealer: KeyringSealer, number: int) -> Sealed:
        return sealer.seal(Plaintext(f"letter {number}"), SealContext("letters", str(number), "body"))

    def rotate(self, source: GivenRoot | None = None, **hooks: object) -> rewrap.Summary:
        def pause(seconds: float) -> None:
            self.paused.append(seconds)
            self.clock.advance(seconds)

        def progress(_text: str) -> None:
            self.clock.advance(1)

        options = {"progress": progress, "pause": pause, **hooks}
        return rewrap.rotate(self.database, source or self.both, self.clock, tables=tables, **options)  # type: ignore[arg-type]

    def check_all(self, root: RootKey) -> set[str]:
        """Open every value with nothing but this root key; return the data keys they are under."""
        sealer = KeyringSealer(Keyring.open(self.database, GivenRoot(RootKeys(root)), self.clock))
        keys = set()
        with self.database.read() as tx:
            for row in tx.rows(sa.select(notes)):
                version = row["secret_version"]
                opened = sealer.open(row["secret"], SealContext("notes", row["id"], "secret", version))
                assert opened.reveal() == f"secret of {row['id']} v{version}"
                keys.add(key_id_of(row["secret"]))
            for row in tx.rows(sa.select(letters)):
                opened = sealer.open(row["body"], SealContext("letters", str(row["id"]), "body"))
                assert opened.reveal() == f"letter {row['id']}"
                keys.add(key_id_of(row["body"]))
        return keys


@pytest.fixture
def world(database: Database) -> World:
    with database.write() as tx:
        tables.create_all(tx.connection)
    return World(database)


def test_everything_opens_with_the_new_root_key_alone(world: World) -> None:
    summary = world.rotate()
    assert summary.sealed == COUNT + 3
    assert (summary.wrapped, summary.remaining, summary.refused) == (1, 0, [])
    assert world.check_all(world.new) == {summary.data_key}
    with pytest.raises(Misconfigured, match=world.new.id):
        world.check_all(world.old)


def test_the_old_data_key_is_retired_but_kept(world: World) -> None:
    summary = world.rotate()
    with world.database.read() as tx:
        rows = {row["id"]: row["retired_at"] for row in tx.rows(sa.select(data_keys))}
    assert len(rows) == 2
    assert rows[summary.data_key] is None
    assert [key for key, retired in rows.items() if retired] == summary.retired


def test_without_a_new_root_key_values_get_a_new_data_key(world: World) -> None:
    summary = world.rotate(GivenRoot(RootKeys(world.old)))
    assert summary.wrapped == 0
    assert world.check_all(world.old) == {summary.data_key}


def test_a_repeat_after_a_finished_change_makes_another_key(world: World) -> None:
    first = world.rotate()
    again = world.rotate()
    assert (again.wrapped, again.sealed) == (0, COUNT + 3)
    assert again.data_key != first.data_key
    assert world.check_all(world.new) == {again.data_key}


@pytest.mark.parametrize("step", range(5))
def test_a_change_cut_short_is_continued_with_the_same_key(world: World, step: int) -> None:
    texts: list[str] = []

    def killed(text: str) -> None:
        world.clock.advance(1)
        texts.append(text)
        if len(texts) > step:
            raise KeyboardInterrupt

    try:
        first = world.rotate(progress=killed).data_key
    except KeyboardInterrupt:
        with world.database.read() as tx:
            rows = tx.rows(sa.select(data_keys.c.id).order_by(data_keys.c.created_at))
        first = rows[-1]["id"] if len(rows) > 1 else ""
    summary = world.rotate()
    assert step >= 4 or first in {"", summary.data_key}
    assert world.check_all(world.new) == {summary.data_key}


class Overtaken(Database):
    """A database where somebody else writes just before the write with the number given."""

    def __init__(self, database: Database, before: int, action: Callable[[], None]) -> None:
        super().__init__(database.engine)
        self._left = before
        self._action = action

    @contextmanager
    def write(self) -> Iterator[Tx]:
        self._left -= 1
        if self._left == 0:
            self._action()
        with super().write() as tx:
            yield tx


def test_a_value_that_a_server_writes_meanwhile_wins(world: World) -> None:
    # Writes: the wrapping, the new data key, the letters, then the first notes.
    plain = world.database
    world.database = Overtaken(plain, 4, lambda: world.put_note(world.server, "n0007", 900))
    summary = world.rotate()
    assert summary.remaining == 1, "what the server wrote is left as it is"
    assert summary.retired == [], "a key that still holds a value is not retired"
    world.check_all(world.new)
    world.database = plain
    again = world.rotate()
    assert (again.data_key, again.sealed, again.remaining) == (summary.data_key, 1, 0)
    assert world.check_all(world.new) == {summary.data_key}


def test_running_servers_get_time_to_take_up_the_new_key(world: World) -> None:
    server = KeyringSealer(Keyring.open(world.database, world.both, world.clock))
    with world.database.write() as tx:
        tx.run(
            processes.insert().values(id="p", host="h", pid=1, started_at=world.clock.now(), seen_at=world.clock.now())
        )

    def pause(seconds: float) -> None:
        world.put_note(server, "late", 1)
        world.clock.advance(seconds)
        world.put_note(server, "later", 1)

    summary = world.rotate(pause=pause)
    assert summary.remaining == 0
    assert world.check_all(world.new) == {summary.data_key}


def test_nobody_waits_when_no_server_runs(world: World) -> None:
    world.rotate()
    assert world.paused == []
    assert REFRESH.total_seconds() > 0


def test_a_damaged_value_is_named_and_left_alone_and_its_key_stays(world: World) -> None:
    with world.database.write() as tx:
        [row] = tx.rows(sa.select(notes.c.secret).where(notes.c.id == "n0003"))
        broken = Sealed(row["secret"].text[:-8] + "AAAAAAAA")
        tx.run(notes.update().where(notes.c.id == "n0003").values(secret=broken))
    summary = world.rotate()
    assert [place.row for place in summary.refused] == ["n0003"]
    assert summary.sealed == COUNT + 2
    assert summary.retired == []
    with world.database.read() as tx:
        assert tx.rows(sa.select(notes.c.secret).where(notes.c.id == "n0003"))[0]["secret"] == broken


def test_the_wrong_previous_root_key_changes_nothing(world: World) -> None:
    other = RootKey.parse(generate(), "ENCRYPTION_KEY_PREVIOUS")
    with pytest.raises(Misconfigured, match=world.old.id):
        world.rotate(GivenRoot(RootKeys(world.new, other)))
    assert len(world.check_all(world.old)) == 1


def test_usage_counts_values_by_key(world: World) -> None:
    [key] = world.check_all(world.old)
    assert rewrap.usage(world.database, tables) == {key: COUNT + 3}


def test_every_sealed_column_of_the_product_has_a_place() -> None:
    versions = {
        f"{column.table.name}.{column.value.name}": column.version for column in rewrap.sealed_columns(metadata)
    }
    assert {"app_connections.secret", "app_connections.salt", "credentials.value"} <= set(versions)
    version = versions["app_connections.secret"]
    assert version is not None
    assert version.name == "secret_version"


def test_a_sealed_column_without_a_single_id_is_refused() -> None:
    odd = sa.MetaData()
    sa.Table(
        "odd",
        odd,
        sa.Column("a", sa.Integer, primary_key=True),
        sa.Column("b", sa.Integer, primary_key=True),
        sa.Column("secret", SealedText),
    )
    with pytest.raises(ValueError, match="odd"):
        rewrap.sealed_columns(odd)
