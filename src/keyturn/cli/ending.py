"""Ends a process that got a signal to end: in time, whatever hangs."""

import os
import threading
import time
from datetime import timedelta

WITHIN = timedelta(seconds=9)
"""Containers are killed ten seconds after they were asked."""
_LAST_WORDS = 0.5


class Ending:
    """Ends the process :data:`WITHIN` after it was asked, if it has not ended by itself.

    What hangs then is as safe as it is in a process that is killed: the next one takes it over.
    """

    def __init__(self, within: timedelta = WITHIN) -> None:
        self._within = within.total_seconds()
        self._started_at: float | None = None

    def start(self) -> None:
        """Begin to count. Safe to repeat, and in a signal's handler."""
        if self._started_at is None:
            self._started_at = time.monotonic()
            threading.Thread(target=self._run, name="end", daemon=True).start()

    def remaining(self) -> timedelta:
        """Return how long what is done now may take, so that something is left for what comes after it."""
        since = time.monotonic() - self._started_at if self._started_at is not None else 0.0
        return timedelta(seconds=max((self._within - since) * 0.7, 0.0))

    def _run(self) -> None:
        time.sleep(self._within)
        threading.Thread(target=_flush, daemon=True).start()
        time.sleep(_LAST_WORDS)
        os._exit(0)


def _flush() -> None:
    """Write out what was logged; a reader that does not read would keep this waiting."""
    from keyturn.web.server.serve import end_process  # noqa: PLC0415 - is there when a server runs

    end_process(0)
