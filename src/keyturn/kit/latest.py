"""What a look finds that may take long or hang, for everybody who asks."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Latest(Generic[Found]):
    """Looks in a thread of its own, one look at a time, and says in time what it knows, whatever hangs."""

    def __init__(self, look: Callable[[], Found], otherwise: Found, *, patience: float, fresh: float) -> None:
        """``otherwise`` is said while a look takes more than ``patience`` seconds, and after one that raised.

        What a look has found is said for ``fresh`` seconds, however many ask.
        """
        self._look = look
        self._otherwise = otherwise
        self._patience = patience
        self._fresh = fresh
        self._changed = threading.Condition()
        self._began_at: float | None = None
        self._known: tuple[float, Found] | None = None

    def value(self) -> Found:
        """Return what a look found that is fresh, or ``otherwise``. Safe from any thread."""
        with self._changed:
            now = time.monotonic()
            if self._known and now - self._known[0] < self._fresh:
                return self._known[1]
            if self._began_at is None:
                self._began_at = now
                threading.Thread(target=self._run, name="look", daemon=True).start()
            seconds = self._began_at + self._patience - now
            in_time = self._changed.wait_for(lambda: self._began_at is None, max(seconds, 0))
            return self._known[1] if in_time and self._known else self._otherwise

    def _run(self) -> None:
        found = self._otherwise
        try:
            found = self._look()
        finally:
            with self._changed:
                self._known, self._began_at = (time.monotonic(), found), None
                self._changed.notify_all()
