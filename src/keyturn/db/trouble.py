"""What is wrong with the database, in words: for answers, for the log, for a start and for ``doctor``.

Each sentence has the advice that fits the cause. Values of statements and passwords are in none of them.
"""

import errno
import fcntl
import os
import tempfile
import traceback
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL

from keyturn.errors import Misconfigured, Unavailable
from keyturn.kit.dataclasses import dataclass

RETRY_AFTER = timedelta(seconds=5)
COMMITTING = "while committing"
"""The note that a write's error carries when it came from its very end."""
_SHARES = {
    "nfs",
    "nfs4",
    "cifs",
    "smb2",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "fuse.s3fs",
    "virtiofs",
}
_BACKUP = "Restore it from a backup, as docs/how-to/backup-and-restore.md says."
_LOCAL = "Keep the data folder on a local disk: set KEYTURN_DATA_DIR, or use PostgreSQL with DB_CONNECTION_URI."
_RIGHTS = "Make the data folder and keyturn.db with its -wal and -shm files writable for this user, and the disk not read-only."


class WritersQueue(Exception):
    """This process's own writers were at work for so long that this one gave up. Nothing was done."""


class DiskFull(Exception):
    """There is no room for what a write may need. It was not tried."""


class FolderGone(Exception):
    """The folder of the database file is not where it was. What is written from now on may be in a place that nobody finds."""


@dataclass(frozen=True)
class Trouble:
    """A cause. ``code`` is stable; ``message`` is a sentence; ``fix`` is what to do."""

    code: str
    message: str
    fix: str

    def unavailable(self) -> Unavailable:
        return Unavailable(self.message, code=self.code, retry_after=RETRY_AFTER, fix=self.fix)

    def misconfigured(self) -> Misconfigured:
        return Misconfigured(self.message, code=self.code, fix=self.fix)


_HELD = Trouble(
    "database.locked",
    "Another program holds the database.",
    "Find the program that has keyturn.db open, e.g. a backup or an SQL tool: lsof keyturn.db. Copy the database with "
    "keyturn's documented backup only.",
)
_FULL = Trouble(
    "database.full", "The disk of the database is full.", "Free some space: nothing can be stored meanwhile."
)
_READ_ONLY = Trouble("database.read_only", "The database cannot be written: it is read-only.", _RIGHTS)
_DAMAGED = Trouble("database.damaged", "The database file is damaged.", f"Stop the server. {_BACKUP}")
_NO_DATABASE = Trouble(
    "database.damaged",
    "The database file is damaged: its head is not that of a database.",
    f"Stop the server. {_BACKUP}",
)
_SHARE = Trouble(
    "database.network_share",
    "The database is on a disk that cannot lock or share files, as network shares often are.",
    _LOCAL,
)
_DISK = Trouble(
    "database.disk", "The disk of the database reported an error.", "Look at the system's log for the disk. " + _LOCAL
)
_GONE = Trouble("database.unopened", "The database file cannot be opened.", _RIGHTS)
_FOLDER_GONE = Trouble(
    "database.folder_gone",
    "The data folder is gone: it was moved or deleted, or its disk is not mounted.",
    "Put it back where it was, or mount its disk, and start the server again.",
)
_TABLES = Trouble("database.tables", "The tables of the database are not those of this version.", "Run: keyturn doctor")
_BUSY = Trouble(
    "database.busy", "The database is busy: the request waited too long for its turn.", "Try again in a moment."
)
_AWAY = Trouble(
    "database.unreachable",
    "The database cannot be reached.",
    "Check DB_CONNECTION_URI (or DB_HOST and the other DB_ variables) and that the database runs.",
)
_UNKNOWN_END = Trouble(
    "database.outcome_unknown",
    "The connection to the database broke at the very end: whether the change was kept is not known.",
    "Look whether the change is there before you make it again.",
)
_SERVER_FULL = Trouble(
    "database.full",
    "The disk of the PostgreSQL server is full.",
    "Free some space there: nothing can be stored meanwhile.",
)
_SERVER_READ_ONLY = Trouble(
    "database.read_only",
    "PostgreSQL takes no writes: it is a standby, or its default is read-only.",
    "Let the database address lead to the primary server (target_session_attrs=read-write).",
)
_SERVER_DAMAGED = Trouble(
    "database.damaged", "PostgreSQL found damaged data.", "Look at the log of PostgreSQL; restore from a backup."
)
_CROWDED = Trouble(
    "database.too_many_connections",
    "PostgreSQL has no connection left.",
    "Raise max_connections, stop other clients, or use a pooler: a process opens up to 48.",
)
_RIGHTS_THERE = Trouble(
    "database.rights",
    "The database user may not do this.",
    "Let the user of DB_CONNECTION_URI own the tables and the schema.",
)

# --- SQLite: https://sqlite.org/rescode.html -----------------------------------------------------------------------------
_SQLITE: Mapping[int, Trouble] = {
    3: _READ_ONLY,  # PERM
    5: _HELD,  # BUSY
    6: _HELD,  # LOCKED
    8: _READ_ONLY,  # READONLY
    10: _DISK,  # IOERR
    11: _DAMAGED,  # CORRUPT
    13: _FULL,  # FULL
    14: _GONE,  # CANTOPEN
    15: _SHARE,  # PROTOCOL: the locks of the write-ahead log make no sense
    22: _SHARE,  # NOLFS
    26: _NO_DATABASE,  # NOTADB
}
_SQLITE_EXTENDED: Mapping[int, Trouble] = {
    10 | (code << 8): _SHARE
    for code in (
        8,
        9,
        14,
        15,
        18,
        19,
        20,
        21,
        24,
    )  # UNLOCK, RDLOCK, CHECKRESERVEDLOCK, LOCK, SHMOPEN, SHMSIZE, SHMLOCK, SHMMAP, MMAP
}
# --- PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html ------------------------------------------
_STATES: Mapping[str, Trouble] = {
    "25006": _SERVER_READ_ONLY,
    "25P03": _BUSY,
    "40001": _BUSY,
    "40P01": _BUSY,
    "42501": _RIGHTS_THERE,
    "42703": _TABLES,
    "42P01": _TABLES,
    "53100": _SERVER_FULL,
    "53300": _CROWDED,
    "55P03": _BUSY,
    "57014": _BUSY,
    "XX001": _SERVER_DAMAGED,
    "XX002": _SERVER_DAMAGED,
}
_STATE_CLASSES: Mapping[str, Trouble] = {
    "08": _AWAY,
    "28": _AWAY,
    "3D": _AWAY,
    "53": _BUSY,
    "57": _AWAY,
    "58": _SERVER_FULL,
}


def trouble_of(error: BaseException) -> Trouble | None:
    """Say what is wrong with the database; None when the error is none of it, or a mistake of this code."""
    if isinstance(error, WritersQueue | sa.exc.TimeoutError):
        return _BUSY
    if isinstance(error, DiskFull):
        return _FULL
    if isinstance(error, FolderGone):
        return _FOLDER_GONE
    if isinstance(error, UnicodeDecodeError) and _from_database(error):
        return _DAMAGED  # the words of a message that SQLite read out of the damaged part
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    driver = type(cause).__module__.partition(".")[0]
    if cause is None or driver not in {"sqlite3", "psycopg"} or _is_mistake(cause):
        return None
    if driver == "sqlite3":
        return _of_sqlite(cause)
    trouble = _of_postgresql(cause)
    while_committing = trouble is _AWAY and COMMITTING in getattr(error, "__notes__", ())
    return _UNKNOWN_END if while_committing else trouble


def explain(error: Exception) -> Unavailable | None:
    """Return what a caller is told while the database is in trouble; None for all other errors."""
    trouble = trouble_of(error)
    return trouble.unavailable() if trouble else None


def _is_mistake(cause: BaseException) -> bool:
    """A row that is refused, or a value of the wrong kind: the database is well."""
    return any(kind.__name__ in {"IntegrityError", "DataError"} for kind in type(cause).__mro__)


def _of_sqlite(cause: BaseException) -> Trouble | None:
    words, code = str(cause), getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return _DAMAGED if "decode to UTF-8" in words else None
    if code & 0xFF == 1 and words.startswith(("no such table", "no such column")):
        return _TABLES
    return _SQLITE_EXTENDED.get(code) or _SQLITE.get(code & 0xFF)


def _of_postgresql(cause: BaseException) -> Trouble | None:
    state = getattr(cause, "sqlstate", None)
    if state is None:
        kinds = {kind.__name__ for kind in type(cause).__mro__}
        return _AWAY if kinds & {"OperationalError", "InterfaceError"} else None
    return _STATES.get(state) or _STATE_CLASSES.get(state[:2])


def _from_database(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)[-2:]
    return any("sqlalchemy" in Path(frame.filename).parts for frame in frames)


# --- at a start, and for doctor: with what can be seen of the place -------------------------------------------------------


def at_start(error: Exception, url: URL) -> Misconfigured | None:
    """Return what an operator is told whose database cannot be used; None when the error is none of the database's."""
    trouble = trouble_of(error)
    if trouble is None:
        return None
    if url.get_backend_name() == "sqlite":
        return _about_file(trouble, Path(url.database or ""))
    reason = _reason(error, url)
    return Misconfigured(f"{trouble.message[:-1]}: {reason}.", code=trouble.code, fix=trouble.fix)


def _about_file(trouble: Trouble, path: Path) -> Misconfigured:
    if trouble in {_HELD, _DISK, _GONE} and (share_of(path.parent) or not can_lock(path.parent)):
        trouble = _SHARE
    if trouble is _SHARE:
        return network_share(path).misconfigured()
    return Misconfigured(f"{trouble.message} It is {path}.", code=trouble.code, fix=trouble.fix)


def damaged_file(path: Path) -> Trouble:
    """Return what is said of a file whose pages do not fit together."""
    return Trouble(_DAMAGED.code, f"{_DAMAGED.message} It is {path}.", _DAMAGED.fix)


def network_share(path: Path) -> Trouble:
    """Return what is said of a database file on a disk that cannot do what SQLite needs."""
    kind = share_of(path.parent)
    place = f"a disk of the kind {kind}" if kind else "a disk"
    message = f"The database {path} is on {place} that cannot lock or share files, as network shares often are."
    return Trouble(_SHARE.code, message, _LOCAL)


def _reason(error: Exception, url: URL) -> str:
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    reason = (lines[0] if lines else type(cause).__name__).rstrip(".")
    return reason.replace(str(url.password), "***") if url.password else reason


def share_of(folder: Path) -> str | None:
    """Return the kind of network file system that the folder is on; None when it is on none, or that cannot be seen."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
        place = str(folder.resolve())
    except OSError:
        return None
    best, kind = "", ""
    for line in lines:
        head, _, right = line.partition(" - ")
        point = head.split()[4].replace("\\040", " ")
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, right.split()[0]
    return kind if kind in _SHARES else None


def can_lock(folder: Path) -> bool:
    """Say whether files of this folder can be locked, as SQLite has to."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            fcntl.lockf(probe, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0, os.SEEK_SET)
    except OSError as error:
        return error.errno in {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EPERM}
    return True
