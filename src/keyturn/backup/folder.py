"""A folder of backups: their names, which hold the moment of each, and who writes into it."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from keyturn.errors import Misconfigured
from keyturn.kit.dataclasses import dataclass

_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"keyturn-(\d{8}T\d{6}Z)\.age")
_LOCK = ".keyturn-backup.lock"


@dataclass(frozen=True)
class BackupFile:
    path: Path
    made_at: datetime


def name_of(made_at: datetime) -> str:
    """Return the name of a backup that is made at this moment."""
    return f"keyturn-{made_at.astimezone(UTC).strftime(_STAMP)}.age"


def backups_in(folder: Path) -> list[BackupFile]:
    """Return the backups that were named by :func:`name_of`, the oldest first. None where there is no folder."""
    try:
        paths = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    except OSError:
        return []
    return [BackupFile(path, datetime.strptime(path.name[8:-4], _STAMP).replace(tzinfo=UTC)) for path in paths]


def keep_newest(folder: Path, count: int) -> None:
    """Delete all backups but the newest ones."""
    for old in backups_in(folder)[:-count]:
        old.path.unlink(missing_ok=True)


def make(folder: Path) -> None:
    """Make the folder where there is none, for its owner only. Raises Misconfigured when that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> Misconfigured:
    return Misconfigured(
        f"The folder of backups {folder} cannot be written: {error.strerror}.",
        code="backup.unwritable",
        fix="Make it writable for this user, or choose another one.",
    )


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Make the folder where there is none, and let one process at a time write into it; yield False to the others.

    Raises Misconfigured when the folder cannot be made or written.
    """
    make(folder)
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
