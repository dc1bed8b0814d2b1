"""The data keys of this installation, unwrapped in memory, and the Sealer that uses them."""

import base64
import hmac
import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from keyturn.crypto import envelope, store
from keyturn.crypto.envelope import DataKey, SealedParts
from keyturn.crypto.root import RootKey, RootKeys, RootKeySource, refuse_guessable
from keyturn.crypto.store import WrappedKey
from keyturn.db.unit import Database, Tx
from keyturn.errors import Misconfigured, Unavailable, Upstream
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.ports.clock import Clock

REFRESH = timedelta(seconds=30)
"""A process seals with a new data key at the latest so long after another process made it."""
LIFE = timedelta(days=90)
"""The age at which a data key is followed by a new one."""


class Keyring:
    """Thread-safe. Reading never needs the caller's transaction: it uses a connection of its own."""

    def __init__(self, database: Database, source: RootKeySource, clock: Clock) -> None:
        self._database = database
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, DataKey] = {}
        self._active: WrappedKey | None = None
        self._read_at: datetime | None = None
        self._seals: dict[str, int] = {}

    @property
    def source(self) -> RootKeySource:
        """Where root keys come from."""
        return self._source

    @classmethod
    def open(cls, database: Database, source: RootKeySource, clock: Clock) -> "Keyring":
        """Read and check all keys; make the first data key in an empty database. Repeatable.

        Raises Misconfigured with one clear sentence when the root key is not the one of this database, or is missing.
        """
        ring = cls(database, source, clock)
        if not ring.verify():
            root = source.load(may_create=True).current
            refuse_guessable(root, source.name)
            ring.add_key(root)
        ring.reload()
        return ring

    def verify(self) -> int:
        """Check that every data key in use unwraps, and return how many data keys there are. Changes nothing.

        Raises Misconfigured as :meth:`open` does.
        """
        rows = self._rows()
        if rows:
            roots = self._source.load()
            for row in rows:
                if row.retired_at is None:
                    self._unwrap(row, roots)
        return len(rows)

    def newest(self) -> DataKey:
        """Return the key for new values. Never writes; reads the database once in :data:`REFRESH`.

        When that fails the key so far is used: a secret that was just issued is lost if it cannot be sealed.
        """
        now = self._clock.now()
        if self._read_at is None or not timedelta() <= now - self._read_at < REFRESH:
            try:
                self.reload()
            except (Misconfigured, sa.exc.SQLAlchemyError):
                if self._active is None:
                    raise
                self._read_at = now
        active = self._active
        if active is None:
            raise Misconfigured(
                "The database holds no data key that this server can use.",
                code="crypto.no_data_key",
                fix="Restart the server; if it then refuses to start, follow what it says.",
            )
        return self._keys[active.id]

    def newest_to_seal(self) -> DataKey:
        """Return :meth:`newest`, and count that a value is sealed with it."""
        key = self.newest()
        with self._lock:
            self._seals[key.id] = self._seals.get(key.id, 0) + 1
        return key

    def key(self, key_id: str) -> DataKey:
        """Return a key by id, looking into the database when it is new here. Raises Misconfigured without one."""
        data_key = self._keys.get(key_id)
        if data_key is not None:
            return data_key
        self.reload()
        data_key = self._keys.get(key_id)
        if data_key is not None:
            return data_key
        row = next((row for row in self._rows() if row.id == key_id), None)
        if row is None:
            raise Misconfigured(
                f"A stored value was sealed with data key {key_id[:16]!a}, which this database does not have.",
                code="crypto.data_key_missing",
                fix="Restore the table data_keys from a backup of this database; rows of another one do not open.",
            )
        return self._unwrap(row, self._source.load())

    def reload(self) -> None:
        """Read the keys again. Keys that this server cannot unwrap are left out: those it has keep working."""
        rows = self._rows()
        fresh = dict(self._keys)
        unknown = [row for row in rows if row.id not in fresh]
        try:
            roots = self._source.load() if unknown else None
            for row in unknown:
                root = roots.find(row.root_key_id) if roots else None
                data_key = root.unwrap(row.id, row.wrapped) if root else None
                if data_key is not None:
                    fresh[row.id] = DataKey(row.id, data_key)
        except (Upstream, Unavailable):
            pass  # a vault is away: whoever needs such a key is told so by `key`
        usable = [row for row in rows if row.retired_at is None and row.id in fresh]
        with self._lock:
            self._keys = fresh
            self._active = usable[-1] if usable else None
            self._read_at = self._clock.now()

    def maintain(self) -> None:
        """Note how much was sealed, and make a new data key when the newest is old or worn.

        To be called hourly, outside transactions. Safe to repeat and in several processes at once. A new key is wrapped
        with the root key of its predecessor, so that during a change of the root key servers that do not know the new
        one yet can still read.
        """
        with self._lock:
            seals, self._seals = self._seals, {}
        with self._database.write() as tx:
            for key_id, count in seals.items():
                store.count_seals(tx, key_id, count)
            self._correct_dates(tx)
            newest = next((row for row in reversed(store.load(tx)) if row.retired_at is None), None)
            if newest is not None and self._worn(newest):
                root = self._source.load().find(newest.root_key_id)
                if root is not None:
                    self._insert(tx, root)
        self.reload()

    def _correct_dates(self, tx: Tx) -> None:
        """Date keys that a wrong clock has dated into the future as made now: else they would never grow old.

        Their order stays: the newest seals.
        """
        now = self._clock.now()
        for number, row in enumerate(row for row in store.load(tx) if row.created_at > now + timedelta(days=1)):
            store.redate(tx, row.id, now + timedelta(microseconds=number))

    def add_key(self, root: RootKey) -> str:
        """Make a new data key under the root key and return its id. From now on this process seals with it."""
        with self._database.write() as tx:
            key_id = self._insert(tx, root)
        self.reload()
        return key_id

    def _worn(self, row: WrappedKey) -> bool:
        return self._clock.now() - row.created_at >= LIFE or row.seals >= envelope.SEALS_PER_KEY

    def _insert(self, tx: Tx, root: RootKey) -> str:
        key_id = base64.b32encode(os.urandom(5)).decode().lower()
        wrapped_keys = store.load(tx)
        # The newest key seals. The clocks of servers differ, so a new key is dated after all others whatever the clock says.
        now = (
            max(self._clock.now(), wrapped_keys[-1].created_at + timedelta(microseconds=1))
            if wrapped_keys
            else self._clock.now()
        )
        store.insert(tx, key_id, root.id, root.wrap(key_id, os.urandom(envelope.KEY_BYTES)), now)
        return key_id

    def _rows(self) -> list[WrappedKey]:
        # The caller may be inside a transaction of its own; reading beside it is harmless and cannot block.
        with self._database.engine.connect() as connection, connection.begin():
            return store.load(Tx(connection, writing=False))

    def _unwrap(self, row: WrappedKey, roots: RootKeys) -> DataKey:
        root = roots.find(row.root_key_id)
        if root is None:
            raise wrong_root(row, roots, self._source.name)
        data_key = root.unwrap(row.id, row.wrapped)
        if data_key is None:
            raise Misconfigured(
                f"Data key {row.id} in the database is damaged: the right root key ({root.id}) does not open it.",
                code="crypto.data_key_damaged",
                fix="Restore the data_keys table from a backup of this database.",
            )
        return DataKey(row.id, data_key)


def wrong_root(row: WrappedKey, roots: RootKeys, name: str) -> Misconfigured:
    """Build the error that says which root key is expected and which was given."""
    root_id = roots.current.id + (f" (previous: {roots.previous.id})" if roots.previous else "")
    return Misconfigured(
        f"{name} is the wrong key: the database expects root key {row.root_key_id}, but the one given is {root_id}.",
        code="crypto.root_key_wrong",
        fix="Give the key this database was made with. To change keys, set ENCRYPTION_KEY to the new one and "
        "ENCRYPTION_KEY_PREVIOUS to the old one, then run: keyturn keys rotate",
    )


class KeyringSealer:
    """ports.Sealer over a keyring. Thread-safe; may be used inside a transaction."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def seal(self, value: Plaintext, place: SealContext) -> Sealed:
        return self._keyring.newest_to_seal().seal(value, place)

    def open(self, sealed: Sealed, place: SealContext) -> Plaintext:
        parts = SealedParts.of(sealed, place)
        return self._keyring.key(parts.key_id).open_parts(parts, place)

    def opener(self, sealed: Sealed, place: SealContext) -> Callable[[], Plaintext]:
        parts = SealedParts.of(sealed, place)
        return self._keyring.key(parts.key_id).opener(parts, place)


class KeyringDigests:
    """ports.Digests over a keyring. Thread-safe; may be used inside a transaction."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def digest(self, value: Plaintext, place: SealContext, *, under: str | None = None) -> str:
        key = self._keyring.newest() if under is None else self._keyring.key(envelope.digest_key_id_of(under))
        return key.digest(value, place)

    def matches(self, digest: str, value: Plaintext, place: SealContext) -> bool:
        key_id = envelope.digest_key_id_of(digest)
        return bool(key_id) and hmac.compare_digest(
            digest.encode(), self._keyring.key(key_id).digest(value, place).encode()
        )

    def aged(self, digest: str) -> bool:
        return envelope.digest_key_id_of(digest) != self._keyring.newest().id
