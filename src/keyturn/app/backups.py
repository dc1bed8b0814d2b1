"""Backups put together: the settings' keys and folder, the root key at hand, what a restored database is told of itself."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from structlog import get_logger

from keyturn.app.continuity import look_at_everything
from keyturn.app.startup import Notice, root_key_source
from keyturn.audit import backup_events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.backup import folder as folders
from keyturn.backup import store as backup_store
from keyturn.backup.age import PrivateKey, PublicKey
from keyturn.backup.service import Contents, create
from keyturn.crypto.keyring import Keyring
from keyturn.crypto.root import RootKeySource
from keyturn.db.unit import Database, Tx
from keyturn.engine import store as engine
from keyturn.errors import KeyturnError, Misconfigured
from keyturn.kit.actor import platform
from keyturn.kit.clock import iso
from keyturn.organizations.store import organizations_of_server
from keyturn.ports.clock import Clock
from keyturn.settings.model import Settings

_LONGEST_KEY_FILE = 64 * 1024


def public_keys(settings: Settings, given: Sequence[str] = ()) -> list[PublicKey]:
    """Return whom backups are made for: the keys given, else those of the settings. Raises Misconfigured without any."""
    texts = tuple(given) or settings.backup.public_keys
    if not texts:
        raise Misconfigured(
            "There is no key to make a backup for.",
            code="backup.no_key",
            fix="Make one with: keyturn backup key FILE. Then set KEYTURN_BACKUP_PUBLIC_KEYS to what it prints, or add --to.",
        )
    try:
        return [PublicKey.parse(text) for text in texts]
    except ValueError as error:
        raise Misconfigured(f"A key {error}.", code="backup.key_malformed", fix="Copy it again.") from None


def private_keys(path: Path) -> list[PrivateKey]:
    """Read a file of private keys: a line each, lines with ``#`` say something about them. Raises Misconfigured."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_KEY_FILE).decode(errors="replace")
    except OSError as error:
        raise Misconfigured(
            f"The file of the backup key {path} cannot be read: {error.strerror}.",
            code="backup.key_unreadable",
            fix="Give the file that keyturn backup key made, with --key-file.",
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    keys = [PrivateKey.parse(line) for line in lines]
    found = [key for key in keys if key is not None]
    if not found or len(found) < len(keys):
        raise Misconfigured(
            f"The file {path} holds no private key of a backup, or one that was mistyped.",
            code="backup.key_malformed",
            fix="Give the file that keyturn backup key made: its key begins with AGE-SECRET-KEY-1.",
        )
    return found


@contextmanager
def open_backup(path: Path) -> Iterator[BinaryIO]:
    """Open a backup to be read. Raises Misconfigured when it cannot be."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise Misconfigured(
            f"The backup {path} cannot be read: {error.strerror}.",
            code="backup.unreadable",
            fix="Check its path, and that this user may read it.",
        ) from error
    with file:
        yield file


def root_key_at_hand(settings: Settings, notice: Notice, clock: Clock) -> RootKeySource | None:
    """Return where this machine's root key comes from; None when it has none that can be read. No vault is called yet."""
    try:
        source = root_key_source(settings, notice, None, clock)
        if settings.key_vault is None:
            source.load()
    except Misconfigured:
        return None
    return source


def settle_restored(tx: Tx, now: datetime) -> None:
    """End in a database that is being restored what the processes of before held, and let all be compared with the provider."""
    engine.end_all_leases(tx, now)
    look_at_everything(tx, now)


def record_restored(database: Database, contents: Contents, now: datetime) -> None:
    """Say in a database that was restored that it was. Its keyring is open."""
    with database.write() as tx:
        for organization in organizations_of_server(tx):
            record(
                tx,
                platform(organization.id),
                backup_events.BACKUP_RESTORED,
                Subject(SubjectKind.ORGANIZATION, organization.id),
                now,
                madeAt=iso(contents.header.created_at),
                madeBy=contents.header.version,
                database=contents.header.database,
                sha256=contents.sha256,
            )


@contextmanager
def note_attempt(database: Database, folder: Path, hours: int, clock: Clock) -> Iterator[None]:
    """Write down in the database what is in a folder of backups after an attempt to make one, and why the attempt failed.

    Whoever tells of backups that are too old may be another process. ``hours`` is how often there should be one.
    """

    def note(failure: str | None) -> None:
        now = clock.now()
        with database.write() as tx:
            backup_store.note(tx, str(folder), hours, _newest(folder, now), failure, now)

    try:
        yield
    except Exception as error:
        note(error.message if isinstance(error, KeyturnError) else f"It failed ({type(error).__name__}).")
        raise
    note(None)


def _newest(folder: Path, now: datetime) -> datetime | None:
    # One that a wrong clock dated into the future says nothing: it neither puts the next one off nor asks for one each hour.
    made = [each.made_at for each in folders.backups_in(folder) if each.made_at <= now]
    return made[-1] if made else None


class ScheduledBackups:
    """The backups that a process makes by itself."""

    def __init__(self, settings: Settings, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._settings = settings
        self._database = database
        self._keyring = keyring
        self._clock = clock

    def make_due(self) -> None:
        """Make a backup when the newest one is old enough, then delete those that are too many. Nothing without a folder.

        Safe in several processes at once: one of those that share a folder makes it. Raises as ``create`` does.
        """
        folder = self._settings.backup.folder
        if folder is None:
            return
        with note_attempt(self._database, folder, self._settings.backup.hours, self._clock):
            self._make_due(folder)

    def _make_due(self, folder: Path) -> None:
        with folders.alone(folder) as is_alone:
            if not is_alone or not self._is_due(folder):
                return
            path = folder / folders.name_of(self._clock.now())
            made = create(self._database, self._keyring, self._clock, public_keys(self._settings), path)
            _log.info("backup.made", path=str(path), rows=made.rows, bytes=made.size)
            folders.keep_newest(folder, self._settings.backup.keep)

    def _is_due(self, folder: Path) -> bool:
        newest = _newest(folder, self._clock.now())
        return newest is None or self._clock.now() - newest >= timedelta(hours=self._settings.backup.hours) - _EARLY


_EARLY = timedelta(minutes=10)
"""It is looked for hourly: a backup that took a minute must not move the next one by an hour."""
_log = get_logger("keyturn")
