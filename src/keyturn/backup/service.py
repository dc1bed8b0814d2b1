"""Makes backups, says what they hold, and puts them back."""

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa

from keyturn.backup.age import PrivateKey, PublicKey, changed_file
from keyturn.backup.file import Header, Reader, Writer, header
from keyturn.crypto import store as key_store
from keyturn.crypto.envelope import DataKey, digest_key_id_of
from keyturn.crypto.keyring import Keyring
from keyturn.crypto.root import RootKeySource
from keyturn.crypto.root_choice import RootPlaces
from keyturn.db import migrate, transfer
from keyturn.db.transfer import Loader
from keyturn.db.unit import Database, Tx
from keyturn.errors import Misconfigured, Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import FIRST
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.ports.clock import Clock

LEFT_OUT = frozenset({"processes", "sessions", "oauth_flows", "backup_folders"})
"""Who runs and who is signed in at the moment, and where backups lie. Whoever restores a backup begins without."""
_SEAL_PLACE = SealContext("backups", "lines", "sha256")
_ALIVE = timedelta(seconds=30)
_DATA_KEYS = "data_keys"
_ROOT_KEYS = "root_keys"
_OF_KEYS = {_DATA_KEYS: ("id", "root_key_id", "wrapped"), _ROOT_KEYS: ("id", "vault_key_id", "wrapped")}
"""The tables of keys, with the columns that are read of a backup before it is known who made it."""


class RootKeyAtHand(StrEnum):
    """Whether the root key of this machine opens what a backup holds."""

    OPENS = "opens"
    VAULT = "vault"
    """It comes with the backup, wrapped, and a vault at hand unwraps it: so it would one that a stranger has wrapped."""
    OTHER = "other"
    NONE = "none"


@dataclass(frozen=True)
class Contents:
    """What a complete and unchanged backup holds.

    ``genuine``: a server with the root key at hand, or with one that the caller named, made it; None: not known.
    """

    header: Header
    tables: dict[str, int]
    sha256: str
    root_key: RootKeyAtHand
    genuine: bool | None

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


@dataclass(frozen=True)
class Made:
    """A backup that was made."""

    path: Path
    header: Header
    rows: int
    size: int


def create(database: Database, keyring: Keyring, clock: Clock, keys: Sequence[PublicKey], path: Path) -> Made:
    """Write a backup, encrypted for each of these keys, while servers run.

    The file appears when it is complete, for its owner only.
    Raises Refused when the file is there, Misconfigured when it cannot be written.
    """
    with transfer.snapshot(database) as tx, _new_file(path) as file:
        wrapped = [row for row in key_store.load(tx) if row.retired_at is None]
        if not wrapped:
            raise Refused(
                "There is nothing to back up: no server has been started with this database.",
                code="backup.nothing",
                fix="Check KEYTURN_DATA_DIR or DB_CONNECTION_URI; keyturn doctor says which database is used.",
            )
        kind = "sqlite" if database.is_sqlite else "postgresql"
        first = header(clock.now(), migrate.newest(), kind, sorted({row.root_key_id for row in wrapped}))
        writer = Writer(file, keys, first)
        for table in transfer.read(tx, LEFT_OUT):
            writer.table(table)
        writer.close(_seal(keyring.key(wrapped[-1].id), writer.sha256))
        size = file.tell()
    return Made(path, first, writer.rows, size)


def _seal(key: DataKey, sha256: str) -> str:
    return key.digest(Plaintext(sha256), _SEAL_PLACE)


@contextmanager
def _new_file(path: Path) -> Any:
    if path.exists():
        raise Refused(
            f"{path} is there already, and is not overwritten.",
            code="backup.exists",
            fix="Choose another name, or delete it.",
        )
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            draft.rename(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise Misconfigured(
            f"The backup {path} cannot be written: {error.strerror}.",
            code="backup.unwritable",
            fix="Choose a folder that this user may write and that has room.",
        ) from error


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def verify(
    file: BinaryIO, keys: Sequence[PrivateKey], source: RootKeySource | None, known_roots: Collection[str] = ()
) -> Contents:
    """Read all of a backup and say what it holds. ``source`` is that of the root key at hand, where there is one.

    ``known_roots`` are ids of root keys that the caller knows to be of this installation, besides those at hand.

    Raises Refused as Reader does, and for one of a newer version.
    """
    reader = Reader(file, keys)
    _require_known(reader.header)
    wrapped: dict[str, list[dict[str, Any]]] = {table: [] for table in _OF_KEYS}
    for table in reader.tables():
        rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
        for row in rows:
            if table.name in wrapped:
                if not all(isinstance(row.get(column), str) for column in _OF_KEYS[table.name]):
                    raise changed_file()
                wrapped[table.name].append(row)
    if {row["root_key_id"] for row in wrapped[_DATA_KEYS] if row.get("retired_at") is None} != {
        *reader.header.root_keys
    }:
        raise changed_file()  # by these ids people tell whose it is
    root_key, data_keys = _opened(wrapped[_DATA_KEYS], wrapped[_ROOT_KEYS], source)
    genuine = None
    if root_key in {RootKeyAtHand.OPENS, RootKeyAtHand.VAULT}:
        key = data_keys.get(digest_key_id_of(reader.seal))
        genuine = key is not None and _seal(key, reader.sha256) == reader.seal
    if genuine and root_key is RootKeyAtHand.VAULT and not {*reader.header.root_keys} <= {*known_roots}:
        genuine = None
    return Contents(reader.header, reader.counts, reader.sha256, root_key, genuine)


def _require_known(first: Header) -> None:
    if first.schema not in migrate.versions():
        raise Refused(
            f"This backup was made by Keyturn {first.version}, whose tables are at version {first.schema}; this version knows"
            f" {migrate.newest()} and older ones.",
            code="backup.newer",
            fix="Use the version of Keyturn that made it, or a newer one.",
        )


def _opened(
    wrapped: list[dict[str, Any]], roots: list[dict[str, Any]], source: RootKeySource | None
) -> tuple[RootKeyAtHand, dict[str, DataKey]]:
    """Unwrap the data keys that are in use with the root key at hand, or with one of the backup that a vault at hand unwraps."""
    if source is None:
        return RootKeyAtHand.NONE, {}
    stored = [key_store.StoredRoot(row["id"], row["vault_key_id"], row["wrapped"], FIRST) for row in roots]
    find = source.find_with(stored) if isinstance(source, RootPlaces) else source.load().find
    data_keys, outcome = {}, RootKeyAtHand.OPENS
    for row in wrapped:
        root = find(row["root_key_id"])
        key = root.unwrap(row["id"], row["wrapped"]) if root else None
        if key is not None:
            data_keys[row["id"]] = DataKey(row["id"], key)
            if isinstance(source, RootPlaces) and not source.has_itself(row["root_key_id"]):
                outcome = RootKeyAtHand.VAULT
        elif row.get("retired_at") is None:
            return RootKeyAtHand.OTHER, {}
    return outcome, data_keys


def restore(
    database: Database,
    file: BinaryIO,
    keys: Sequence[PrivateKey],
    source: RootKeySource,
    now: datetime,
    finish: Callable[[Tx], None],
    *,
    replace: bool,
    known_roots: Collection[str] = (),
) -> Contents:
    """Put a backup into an empty database, or with ``replace`` in place of what is there; return what it holds.

    The whole backup is read before anything is touched, and all is written in one transaction, in which ``finish`` may
    write more: whatever is killed, the database is as before or complete. Tables of an older version are brought up to date.
    Raises Refused as :func:`verify` and :func:`require_ours` do; when the database is not empty, or a server uses it.
    """
    contents = verify(file, keys, source, known_roots)
    require_ours(contents, known_roots)
    if transfer.seen_since(database, now - _ALIVE):
        raise Refused(
            "A server uses this database, or did within the last half minute.",
            code="backup.in_use",
            fix="Stop all servers and workers of this database, then try again.",
        )

    def fill(loader: Loader) -> None:
        reader = Reader(file, keys)
        loader.load(_known(reader, loader))
        if reader.sha256 != contents.sha256:
            raise changed_file()

    driver: Any = database.engine.dialect.loaded_dbapi
    try:
        transfer.rebuild(database, contents.header.schema, fill, finish, replace=replace)
    except (sa.exc.DataError, sa.exc.IntegrityError, driver.DataError, driver.IntegrityError) as error:
        raise _row_refused(contents.header, error) from None
    return contents


def _known(reader: Reader, loader: Loader) -> Any:
    for table in reader.tables():
        if not loader.knows(table.name, table.columns):
            raise changed_file()
        yield table


def require_ours(contents: Contents, known_roots: Collection[str] = ()) -> None:
    """Raise Refused unless a server with the root key at hand, or one of these that a vault at hand unwraps, made the backup."""
    roots = contents.header.root_keys
    if known_roots and not {*roots} <= {*known_roots}:
        raise Refused(
            f"This backup was made with root key {', '.join(roots)}, and not with {', '.join(known_roots)}.",
            code="backup.root_key_other",
            fix="It is of another installation, or was made by somebody else. Use another one.",
        )
    if contents.root_key is RootKeyAtHand.VAULT and contents.genuine is None:
        raise Refused(
            "The root key of this backup comes with it, wrapped for the key vault: whoever knows the public keys of the vault and"
            " of your backups can make such a one.",
            code="backup.origin_unknown",
            fix=f"Compare {', '.join(roots)} with what keyturn keys status printed before, or with a backup that you trust. If it"
            f" is yours, add: {' '.join(f'--root-key {root}' for root in roots)}",
        )
    if contents.root_key not in {RootKeyAtHand.OPENS, RootKeyAtHand.VAULT}:
        raise Refused(
            f"The root key here does not open this backup, which was made with root key {', '.join(contents.header.root_keys)}.",
            code="backup.root_key",
            fix="Put that root key in place first: the file root.key in the data folder, or ENCRYPTION_KEY.",
        )
    if not contents.genuine:
        raise Refused(
            "This backup was not made by a server with this root key, although it opens with this backup key.",
            code="backup.not_genuine",
            fix="Find out who made it: whoever has the public key of your backups can. Use another one.",
        )


def _row_refused(first: Header, error: Exception) -> Refused:
    return Refused(
        f"This database does not take a row of this backup, which was made of {first.database} ({type(error).__name__}).",
        code="backup.row_refused",
        fix="Restore it into a database of the kind that it was made of.",
    )
