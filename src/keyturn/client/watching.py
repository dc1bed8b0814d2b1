"""What a source says, as news: looked for when it is time to, or waited for in a thread."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from keyturn.client.domain import Outage, Reading
from keyturn.client.reader import Reader
from keyturn.errors import KeyturnError

News = Reading | KeyturnError


class NewsOfSource(Protocol):
    """Gives what came of the last look at a source."""

    def take(self) -> News | None:
        """Return the newest news that nobody took yet; None when there are none."""

    def due_in(self) -> float:
        """Return after how many seconds to ask again, unless somebody is woken before."""


class Poll:
    """Looks when it is asked and due: for who looks once, and for time that is moved."""

    def __init__(self, reader: Reader, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._monotonic = monotonic
        self._due_at = -1.0

    def take(self) -> News | None:
        if self._monotonic() < self._due_at:
            return None
        news = read(self._reader)
        self._due_at = self._monotonic() + self._reader.wait()
        return news

    def due_in(self) -> float:
        return max(self._due_at - self._monotonic(), 0.0)


class Watch:
    """Waits for changes in a thread of its own, of which there is one for each source. ``wake`` is called after each news."""

    def __init__(self, reader: Reader, wake: Callable[[], None] = lambda: None, *, once: bool = False) -> None:
        """Begin. With ``once`` it is looked once and never again."""
        self._reader = reader
        self._wake = wake
        self._once = once
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._over = threading.Event()
        threading.Thread(target=self._run, name="secrets", daemon=True).start()

    def first(self, seconds: float | None) -> News | None:
        """Wait for news, so many seconds at most; None: there are none yet."""
        with contextlib.suppress(queue.Empty):
            return self._news.get(timeout=seconds)
        return None

    def take(self) -> News | None:
        latest: News | None = None
        with contextlib.suppress(queue.Empty):
            while True:
                latest = self._news.get_nowait()
        return latest

    def due_in(self) -> float:
        return 3600.0

    def stop(self) -> None:
        """Look no more. Does not wait for a look that is under way."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            self._news.put(read(self._reader, wait=not self._once))
            self._wake()
            if self._once:
                return
            self._over.wait(self._reader.wait())


def read(reader: Reader, *, wait: bool = False) -> News:
    """Return what came of it; never raises, as what watches must not end."""
    try:
        return reader.read(wait=wait)
    except KeyturnError as error:
        return error
    except Exception as error:  # noqa: BLE001 - its text might hold a secret
        return Outage(f"reading failed unexpectedly ({type(error).__name__})")
