"""How far the counters of the database are, looked up once for everybody in this process who waits or keeps copies.

One thread looks: at once when this process has written what counts, and often enough that writes of others are known within a
second. With SQLite a look asks the file whether anybody has committed anything, which takes some microseconds and reads no
table. With PostgreSQL it is one small read. LISTEN is not used: it needs a session of its own, which poolers in transaction
mode do not give, and would shorten only what a read a second has bounded already.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from keyturn.changes import store
from keyturn.db.unit import Database
from keyturn.engine.loop import Loop

OF_A_FILE = timedelta(milliseconds=250)
"""Between two looks at SQLite's file."""
OF_A_SERVER = timedelta(milliseconds=800)
"""Between two looks at PostgreSQL."""
CONFIRMED_FOR = 2.0
"""Seconds after which what a look has found is not relied on any more: the database may be away."""

Listener = Callable[[], None]


class Counters:
    """The revisions of the projects that somebody asks about, and the number of looks that may have found other rights.

    For any number of threads. ``look`` is what the thread does; without ``start`` it is up to the caller.
    """

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._file = _FileChanges(database) if database.is_sqlite else None
        self._lock = threading.Lock()
        self._asked: Counter[str] = Counter()
        self._revisions: dict[str, int] = {}
        self._listeners: tuple[Listener, ...] = ()
        self._confirmed_at = float("-inf")
        self.access = 0
        """Moves whenever a token, a role or a trusted address may be another than before."""
        self._every = OF_A_FILE if database.is_sqlite else OF_A_SERVER
        self._loop = Loop("counters", self.look, self._every)
        self._begun = False
        database.listen(self._loop.nudge)

    def start(self) -> None:
        """Begin to look, in a thread. Safe to repeat."""
        with self._lock:
            begun, self._begun = self._begun, True
        if not begun:
            self._loop.start()

    def stop(self, grace: timedelta = timedelta(seconds=5)) -> None:
        """End the thread. Safe to repeat."""
        self._loop.stop(grace)
        if self._file is not None:
            self._file.close()

    def listen(self, listener: Listener) -> None:
        """Let it be called after each look, by the thread that looks, with no transaction open."""
        self._listeners += (listener,)

    def ask(self, project_id: str) -> None:
        """Look at this project, too, until :meth:`leave` was called as often."""
        with self._lock:
            self._asked[project_id] += 1
        if self._file is not None:
            self._file.forget()

    def leave(self, project_id: str) -> None:
        with self._lock:
            self._asked[project_id] -= 1
            if self._asked[project_id] <= 0:
                del self._asked[project_id]
                self._revisions.pop(project_id, None)

    def revision(self, project_id: str) -> int | None:
        """Return the number of the project's last change as of the last look; None before there was one, and when it is gone."""
        with self._lock:
            return self._revisions.get(project_id)

    @property
    def confirmed(self) -> bool:
        """Whether the last look was a moment ago, so that nothing that is older than a second can be unknown."""
        return self._monotonic() - self._confirmed_at < CONFIRMED_FOR

    def look(self) -> timedelta:
        """Look once, and tell the listeners; return for how long that is enough. Raises what the database raises."""
        began = self._monotonic()
        if self._file is None or self._file.changed():
            with self._lock:
                asked = list(self._asked)
            found: dict[str, int] = {}
            if asked:
                with self._database.read() as tx:
                    found = store.revisions(tx, asked)
            with self._lock:
                self._revisions = {each: number for each, number in found.items() if each in self._asked}
            self.access += 1
        self._confirmed_at = began
        for listener in self._listeners:
            listener()
        return self._every


class _FileChanges:
    """Whether anybody has committed anything to SQLite's file since the last look.

    https://sqlite.org/pragma.html#pragma_data_version: a number that moves when another connection has committed, of this process
    or of another one. So the connection is one that never writes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None
        self._seen: int | None = None

    def changed(self) -> bool:
        if self._connection is None:
            pooled = self._database.engine.raw_connection()
            pooled.detach()
            self._connection = pooled
        [number] = self._connection.cursor().execute("PRAGMA data_version").fetchone()
        before, self._seen = self._seen, number
        return bool(number != before)

    def forget(self) -> None:
        """Let the next look count as one that found something."""
        self._seen = None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
