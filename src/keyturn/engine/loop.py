"""A thread that does something again and again."""

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from keyturn.engine.payload import describe_error, whereabouts

_log = structlog.get_logger("keyturn.engine")


class Loop:
    """Calls ``work`` and waits as long as it says, until stopped. An error in ``work`` is logged, never ends the loop."""

    def __init__(self, name: str, work: Callable[[], timedelta], after_error: timedelta) -> None:
        self._work = work
        self._after_error = after_error
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def nudge(self) -> None:
        """Do it now instead of after the wait. Safe from any thread, at any time."""
        self._wake.set()

    def stop(self, grace: timedelta) -> None:
        """End after the current round, waiting for it at most the grace period. Safe to repeat."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(grace.total_seconds())

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._stopped:
                return
            self._wake.wait(self._round().total_seconds())

    def _round(self) -> timedelta:
        try:
            return self._work()
        except Exception as error:  # noqa: BLE001 - the database may be away; the next round tries again
            _log.error(f"{self._thread.name} failed", **describe_error(error), at=whereabouts(error))
            return self._after_error
