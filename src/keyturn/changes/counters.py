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
OF_A_SERVER = timedelta(milliseconds=500)
"""Between two looks at PostgreSQL."""
CONFIRMED_FOR = 2.0
"""Seconds after which what a look has found is not relied on any more: the database may be away."""

Listener = Callable[[], None]


class Counters:
    """The revisions of the projects that somebody asks about, and the access revision.

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
        self.access = -1
        """Another number after each write that may change who reads what; -1 before the first look."""
        self._announced = 0
        self._settled = 0
        self._moves = 0
        self._moved: dict[str | None, int] = {}
        self._every = OF_A_FILE if database.is_sqlite else OF_A_SERVER
        self._loop = Loop("counters", self.look, self._every)
        self._begun = False
        database.listen(self._on_write)

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
                self._moved.pop(project_id, None)

    def revision(self, project_id: str) -> int | None:
        """Return the number of the project's last change as of the last look; None before there was one, and when it is gone."""
        return self._revisions.get(project_id)  # one step: no lock is needed

    @property
    def confirmed(self) -> bool:
        """Whether the last look was a moment ago, so that nothing that is older than a second can be unknown."""
        return self._monotonic() - self._confirmed_at < CONFIRMED_FOR

    def settled(self, seconds: float) -> bool:
        """Whether all that this process wrote is known, and a look that found all others' writes began so long ago at most."""
        return self._settled == self._announced and self._monotonic() - self._confirmed_at < seconds

    @property
    def pending(self) -> bool:
        """Whether this process has written what the next look, which comes at once, will find."""
        return self._settled != self._announced

    @property
    def moves(self) -> int:
        """A number for :meth:`still` that is taken before something is read from the database."""
        return self._moves

    def still(self, project_id: str, moves: int) -> int | None:
        """Return the project's number, if neither it nor the access revision moved since ``moves`` was taken; else None.

        What was read since then is at least as new as that number.
        """
        with self._lock:
            if self.pending or max(self._moved.get(None, 0), self._moved.get(project_id, 0)) > moves:
                return None
            return self._revisions.get(project_id)

    def look(self) -> timedelta:
        """Look once, and tell the listeners; return for how long that is enough. Raises what the database raises."""
        began, announced = self._monotonic(), self._announced
        if self._file is None or self._file.changed():
            try:
                self._read()
            except Exception:
                if self._file is not None:
                    self._file.forget()
                raise
        self._confirmed_at, self._settled = began, announced
        for listener in self._listeners:
            listener()
        return self._every

    def _read(self) -> None:
        with self._lock:
            asked = list(self._asked)
        with self._database.read() as tx:
            access = store.access_revision(tx)
            found = store.revisions(tx, asked) if asked else {}
        with self._lock:
            self._moves += 1
            if access != self.access:
                self.access, self._moved[None] = access, self._moves
            revisions = {each: number for each, number in found.items() if each in self._asked}
            for each, number in revisions.items():
                if self._revisions.get(each) != number:
                    self._moved[each] = self._moves
            self._revisions = revisions

    def _on_write(self) -> None:
        with self._lock:
            self._announced += 1
        self._loop.nudge()


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
