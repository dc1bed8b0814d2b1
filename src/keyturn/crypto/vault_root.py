"""Root keys in the database, each wrapped by a key of a vault; unwrapped they are in memory only, while a process lives."""

import os
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from keyturn.crypto import envelope, store
from keyturn.crypto.root import RootKey
from keyturn.crypto.store import StoredRoot
from keyturn.db.unit import Database, Tx
from keyturn.errors import Misconfigured, NeedsAction, Unavailable, Upstream
from keyturn.ports.clock import Clock
from keyturn.ports.key_vault import KeyVault, WrappedRoot

PAUSE = timedelta(seconds=1)
"""For so long a vault that failed is not asked again: each read of a value that needs it would wait for it."""

CONTINUE_WITHIN = timedelta(hours=1)
"""A change cut short is continued with its own root key for so long; later a repeat makes another."""


class VaultRoots:
    """The root keys of one database that its vault's keys wrap. Thread-safe.

    ``keys`` are the keys of vaults that this server may use; the first wraps new root keys. Each root key is unwrapped once in
    the life of a process: afterwards the vault is not needed.
    """

    def __init__(
        self, database: Database | None, clock: Clock, open_keys: Callable[[], Sequence[KeyVault]], name: str
    ) -> None:
        """Without a database it knows what :meth:`take` gave it alone.

        ``open_keys`` is called once, by the first use; ``name`` is what to call the first of them.
        """
        self._database = database
        self._clock = clock
        self._open_keys = open_keys
        self._lock = threading.Lock()
        self._keys: Sequence[KeyVault] | None = None
        self._known: dict[str, RootKey] = {}
        self._taken: list[StoredRoot] = []
        self._failed: tuple[float, Upstream] | None = None
        self.name = name

    @property
    def keys(self) -> Sequence[KeyVault]:
        if self._keys is None:
            self._keys = self._open_keys()
        return self._keys

    def find(self, root_key_id: str) -> RootKey | None:
        """Return the root key with this id; None when the database has none such.

        Raises Retryable or NeedsAction as the vault does, Unavailable inside a transaction, Misconfigured for a damaged row.
        """
        known = self._known.get(root_key_id)
        if known is not None:
            return known
        row = next((row for row in self._rows() if row.id == root_key_id), None)
        return None if row is None else self._unwrap(row)

    def learn(self) -> None:
        """Unwrap the newest root key ahead of its use, which needs no vault then. Raises as :meth:`find`. Not in transactions."""
        rows = self._rows()
        if rows:
            self.find(rows[-1].id)

    def make(self, live: Sequence[str]) -> RootKey:
        """Make a root key, wrapped by the newest version of the first key, and keep it. Not in a transaction.

        ``live`` are the ids of root keys that data keys in use are wrapped with. A root key of the last hour that nothing, or not
        everything, uses yet was made by a change that was cut short: it is taken, unless the vault's key has a newer version.
        The vault has unwrapped it before it is returned, so a server that starts can have it unwrapped.
        """
        if self._database is None:
            raise RuntimeError("a root key without a database to keep it in")
        first = self.keys[0]
        root = RootKey(os.urandom(envelope.KEY_BYTES))
        wrapped = first.wrap(root.reveal())
        rows = self._rows()
        if rows and set(live) != {rows[-1].id} and self._continues(rows[-1], wrapped):
            return self._unwrap(rows[-1])
        if first.unwrap(wrapped) != root.reveal():
            raise Misconfigured(
                f"{self.name} does not give back what it wrapped.",
                code="crypto.vault_untrue",
                fix="Nothing was changed. Check that KEYTURN_KEY_VAULT_KEY names a key of Azure Key Vault.",
            )
        with self._database.write() as tx:
            store.insert_root(tx, StoredRoot(root.id, wrapped.key_id, wrapped.value, self._clock.now()))
        with self._lock:
            self._known[root.id] = root
        return root

    def take(self, rows: Sequence[StoredRoot]) -> None:
        """Know these root keys, too: those of a backup."""
        self._taken.extend(rows)

    def wrapped_by(self, root_key_id: str) -> str:
        """Return the id of the vault's key that wraps this root key; nothing when no vault does."""
        return next((row.vault_key_id for row in self._rows() if row.id == root_key_id), "")

    def _continues(self, row: StoredRoot, wrapped: WrappedRoot) -> bool:
        return row.vault_key_id == wrapped.key_id and self._clock.now() - row.created_at < CONTINUE_WITHIN

    def _rows(self) -> list[StoredRoot]:
        if self._database is None:
            return self._taken
        # As the keyring reads: beside whatever transaction the caller is in.
        with self._database.engine.connect() as connection, connection.begin():
            return [*self._taken, *store.load_roots(Tx(connection, writing=False))]

    def _unwrap(self, row: StoredRoot) -> RootKey:
        if row.id in self._known:
            return self._known[row.id]
        if self._database is not None and self._database.in_transaction:
            raise Unavailable(
                "The root key was changed a moment ago, and this server has not learned the new one yet.",
                code="crypto.root_key_not_here",
                fix="Try again in a moment: it learns it by itself.",
                retry_after=timedelta(seconds=10),
            )
        self._hold_back()
        try:
            root = RootKey(self._key_of(row).unwrap(WrappedRoot(row.vault_key_id, row.wrapped)))
        except Upstream as error:
            self._failed = self._clock.now().timestamp(), error
            raise
        except ValueError:
            root = None
        if root is None or root.id != row.id:
            raise Misconfigured(
                f"Root key {row.id} in the database is damaged: what {row.vault_key_id} unwraps is another one.",
                code="crypto.root_key_damaged",
                fix="Restore the root_keys table from a backup of this database.",
            )
        with self._lock:
            self._known[row.id] = root
        return root

    def _key_of(self, row: StoredRoot) -> KeyVault:
        for key in self.keys:
            if key.holds(row.vault_key_id):
                return key
        raise NeedsAction(
            f"Root key {row.id} is wrapped by {row.vault_key_id[:300]!a}, which KEYTURN_KEY_VAULT_KEY does not name.",
            code="vault.other_key",
            fix="Name that key, too, without its version: several are separated by spaces, the one for new root keys first.",
        )

    def _hold_back(self) -> None:
        if self._failed is not None:
            since = self._clock.now().timestamp() - self._failed[0]
            if 0 <= since < PAUSE.total_seconds():
                raise self._failed[1].with_traceback(None)
            self._failed = None
