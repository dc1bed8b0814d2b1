"""Several places that root keys may come from: which of them a database uses, says the database.

So the root key is changed while servers run: all of them get the new place beside the old one, the data keys are wrapped anew one
by one, and each is opened by the root key that it names. Killed anywhere in between, both places are in use and both are read.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NoReturn

from keyturn.crypto import store
from keyturn.crypto.root import GivenRoot, KeyFile, RootKey, RootKeys
from keyturn.crypto.store import StoredRoot, WrappedKey
from keyturn.crypto.vault_root import VaultRoots
from keyturn.db.unit import Database, Tx
from keyturn.errors import Misconfigured
from keyturn.kit.dataclasses import dataclass

_SET_FIRST = (
    "Set it on all servers beside the present one, restart them one after the other, then run this command again."
)


class Place(StrEnum):
    """Where a root key comes from, as it is named to `keyturn keys rotate --to`."""

    ENVIRONMENT = "environment"
    FILE = "file"
    VAULT = "vault"


@dataclass(frozen=True)
class RootPlaces:
    """``RootKeySource`` over all places that this server was given; those that it was not given are None."""

    database: Database | None
    given: GivenRoot | None
    file: KeyFile | None
    vault: VaultRoots | None

    @property
    def name(self) -> str:
        return self._name_of(self.in_use() or self._first())

    def load(self, *, may_create: bool = False) -> RootKeys:
        """Return the key in use, and where to look for others. Raises Misconfigured, and what a vault raises. Repeatable."""
        live = self._live()
        if not live:
            return self._first_keys(may_create=may_create)
        place = self._place_of(live[-1].root_key_id)
        if place is None:  # the keyring says which one is missing
            return self._first_keys(may_create=False) if self.given or self._file_there() else self._missing(live[-1])
        return self._keys(place, live[-1].root_key_id)

    def in_use(self) -> Place | None:
        """Return the place whose key wraps the newest data key; None in an empty database, or when no place here has it."""
        live = self._live()
        return self._place_of(live[-1].root_key_id) if live else None

    def unused(self) -> list[tuple[Place, str]]:
        """Return the places that were given by settings while the database uses another: a change that is to be made."""
        used = self.in_use()
        given = [(Place.ENVIRONMENT, self.given), (Place.VAULT, self.vault)]
        return [(place, part.name) for place, part in given if part is not None and used not in {None, place}]

    def target(self, place: Place) -> "TargetRoot":
        """Prepare a change to this place: a new root key is made there, or the one of a change that was cut short is taken.

        Raises Misconfigured where this server was not given that place, and what a vault raises.
        """
        if place is Place.ENVIRONMENT:
            if self.given is None:
                raise _not_given(place, "ENCRYPTION_KEY", f"Make a key with: keyturn keys generate. {_SET_FIRST}")
            return TargetRoot(self, self.given.keys.current, self.given.name)
        if place is Place.FILE:
            if self.file is None:
                raise _not_given(
                    place, "a key file", "Only the embedded database has one: choose environment or vault."
                )
            if self.file.path.exists():
                self.file.replace()
            return TargetRoot(self, self.file.load(may_create=True).current, self.file.name)
        if self.vault is None:
            raise _not_given(place, "KEYTURN_KEY_VAULT_KEY", _SET_FIRST)
        return TargetRoot(self, self.vault.make([row.root_key_id for row in self._live()]), self.vault.name)

    def find(self, root_key_id: str) -> RootKey | None:
        """Look in all places."""
        if self.given is not None and (root := self.given.keys.find(root_key_id)) is not None:
            return root
        if self._file_there() and self.file is not None and (root := self.file.load().find(root_key_id)) is not None:
            return root
        return self.vault.find(root_key_id) if self.vault is not None else None

    def has_itself(self, root_key_id: str) -> bool:
        """Say whether the key is in the environment or the file. A vault unwraps what anybody has wrapped with its public key."""
        return self._place_of(root_key_id) in {Place.ENVIRONMENT, Place.FILE}

    def _place_of(self, root_key_id: str) -> Place | None:
        if self.given is not None and self.given.keys.find(root_key_id) is not None:
            return Place.ENVIRONMENT
        if self._file_there() and self.file is not None and self.file.load().find(root_key_id) is not None:
            return Place.FILE
        if self.vault is not None and self.vault.wrapped_by(root_key_id):
            return Place.VAULT
        return None

    def _keys(self, place: Place, root_key_id: str) -> RootKeys:
        """``root_key_id`` matters for a vault alone: in other places the current key is the one that was put there last."""
        if place is Place.ENVIRONMENT and self.given is not None:
            return RootKeys(self.given.keys.current, self.given.keys.previous, self.find)
        if place is Place.FILE and self.file is not None:
            keys = self.file.load()
            return RootKeys(keys.current, keys.previous, self.find)
        root = self.vault.find(root_key_id) if self.vault is not None else None
        if root is None:
            raise RuntimeError("a root key was deleted just now")
        return RootKeys(root, None, self.find)

    def _first(self) -> Place:
        """Where a new database gets its first root key."""
        if self.vault is not None:
            return Place.VAULT
        return Place.ENVIRONMENT if self.given is not None else Place.FILE

    def _first_keys(self, *, may_create: bool) -> RootKeys:
        if self.vault is not None and may_create:
            return RootKeys(self.vault.make([]), None, self.find)
        if self.given is not None:
            return RootKeys(self.given.keys.current, self.given.keys.previous, self.find)
        if self.file is not None:
            return self.file.load(may_create=may_create)
        raise Misconfigured("No root key was made yet.", code="crypto.no_root_key", fix="Start a server: it makes one.")

    def _missing(self, row: WrappedKey) -> NoReturn:
        raise Misconfigured(
            f"The database expects root key {row.root_key_id}, which no place has that this server was given.",
            code="crypto.root_key_wrong",
            fix="Give the place that it was in as well: ENCRYPTION_KEY, the key file, or KEYTURN_KEY_VAULT_KEY.",
        )

    def _name_of(self, place: Place) -> str:
        part = {Place.ENVIRONMENT: self.given, Place.FILE: self.file, Place.VAULT: self.vault}[place]
        return part.name if part is not None else place.value

    def _file_there(self) -> bool:
        return self.file is not None and self.file.path.exists()

    def find_with(self, rows: Sequence[StoredRoot]) -> Callable[[str], RootKey | None]:
        """Return what looks in all places, and among these rows of a backup that a vault has wrapped."""
        if self.vault is not None:
            self.vault.take(rows)
        return self.find

    def _live(self) -> Sequence[WrappedKey]:
        if self.database is None:
            return []
        with self.database.engine.connect() as connection, connection.begin():
            return [row for row in store.load(Tx(connection, writing=False)) if row.retired_at is None]


@dataclass(frozen=True)
class TargetRoot:
    """``RootKeySource`` of a change: new wrappings get this key, old ones are opened by whichever they name."""

    places: RootPlaces
    root: RootKey
    name: str

    def load(self, *, may_create: bool = False) -> RootKeys:
        return RootKeys(self.root, None, self.places.find)


def _not_given(place: Place, what: str, fix: str) -> Misconfigured:
    return Misconfigured(
        f"The root key cannot be moved to '{place.value}': this server has no {what}.",
        code="keys.no_such_place",
        fix=fix,
    )
