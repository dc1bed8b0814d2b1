"""Files that are there whole or not at all."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path


def write_file(path: Path, content: bytes, *, mode: int, owner: int = -1, group: int = -1) -> None:
    """Put the content in the place of what is there, at one moment, and on the disk. Makes the folder. Raises OSError.

    A symbolic link at the place is replaced, never followed.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            if (owner, group) != (-1, -1):
                os.fchown(descriptor, owner, group)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_own(path: Path) -> bytes:
    """Read a file that nobody but this user can have written. Raises OSError, also for one that somebody else can write."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            raise PermissionError(1, "it belongs to another user")
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o022:
            raise PermissionError(1, "others can write it")
        return file.read()
