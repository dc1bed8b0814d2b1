"""What is particular to SQLite: the least version, connections, and functions that old versions lack."""

import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

from keyturn.db.trouble import DiskFull, FolderGone
from keyturn.errors import Misconfigured

LEAST_VERSION = (3, 35)
"""The first that gives back the rows that a statement wrote."""
BUSY_SECONDS = 10
LEAST_FREE = 4 * 1024 * 1024
"""Bytes: by so many the write-ahead log grows before it is written back. Less writes still go into its old pages."""
_FRACTIONS = (3, 42)
"""The first whose ``unixepoch`` knows fractions of a second: before, it answers NULL."""


def require_version(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Raise Misconfigured when the SQLite that this Python was built with is too old."""
    if version < LEAST_VERSION:
        version_text, least = ".".join(map(str, version)), ".".join(map(str, LEAST_VERSION))
        raise Misconfigured(
            f"This Python uses SQLite {version_text}; the embedded database needs {least} or newer.",
            code="database.sqlite_too_old",
            fix="Run Keyturn with a Python that has a newer SQLite, e.g. one of a newer system, or use PostgreSQL:"
            " set DB_CONNECTION_URI.",
        )


def require_room(path: str | None) -> None:
    """Raise DiskFull when the disk of the database file has no room for a larger write, FolderGone without its folder."""
    if not path or path == ":memory:":
        return
    try:
        free = shutil.disk_usage(Path(path).absolute().parent).free
    except OSError as error:
        raise FolderGone from error
    if free < LEAST_FREE:
        raise DiskFull


def add_functions(connection: Any) -> None:
    """Give the connection what its SQLite is too old for, and what the tables of the durable engine use since Python 3.12."""
    if sqlite3.sqlite_version_info < _FRACTIONS:
        connection.create_function("unixepoch", -1, _unixepoch)


def _unixepoch(*arguments: object) -> float | int:
    """Now, in seconds; as ``unixepoch`` of SQLite 3.42 and newer, for the arguments that are in use."""
    if arguments == ("subsec",):
        return round(time.time(), 3)
    if arguments in {(), ("now",)}:
        return int(time.time())
    raise ValueError(f"unixepoch with {len(arguments)} arguments is not in use here")
