"""What a process that works does now and then, beside the rotations."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from keyturn.audit.retention import remove_old_events
from keyturn.connections.service import Connections
from keyturn.crypto.keyring import Keyring
from keyturn.errors import KeyturnError
from keyturn.rotations.retention import remove_old_history
from keyturn.settings.model import Retention

UPKEEP_EVERY = timedelta(hours=1)
BETWEEN_REMOVALS = timedelta(milliseconds=50)
"""For so long others may write before the next part of what is old is removed."""


class Upkeep:
    """Makes sure that the newest data key is young enough, that no refresh token grows too old, that nothing is kept too long.

    At once and then hourly it gives fingerprints to credentials that have none, since an older version stored them.
    """

    def __init__(
        self,
        keyring: Keyring,
        connections: Connections,
        clock_confirmed_at: Callable[[], datetime | None],
        retention: Retention,
    ) -> None:
        self._keyring = keyring
        self._connections = connections
        self._grants = connections.grants
        self._clock_confirmed_at = clock_confirmed_at
        self._retention = retention
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()

    def round(self) -> None:
        """Do it once. What fails is reported, and tried again the next time."""
        self._attempt("keys", self._keyring.maintain)
        self._attempt("oauth", lambda: self._grants.keep_alive(partial(_warn, "oauth.refresh_failed", "connection")))
        self._attempt("audit_retention", self.remove_old_events)
        self._attempt("history_retention", self.remove_old_history)
        self.mark()

    def mark(self) -> None:
        """Complete the fingerprints. What cannot be read is reported."""
        self._attempt("fingerprints", lambda: self._connections.mark_all(partial(_warn, "fingerprints.unreadable")))

    # Nothing is removed until the provider has confirmed this server's clock, and ages count from the moment of that: a clock
    # that has run ahead since removes nothing before its time.

    def remove_old_events(self) -> None:
        """Remove the audit events that are older than they are to be kept."""
        seen, now = self._clock_confirmed_at(), self._connections.clock.now()
        if seen is not None:
            remove_old_events(self._connections.database, self._retention.audit_days, seen, now, self._stopped)

    def remove_old_history(self) -> None:
        """Remove steps, runs and keys that are older than they are to be kept."""
        seen = self._clock_confirmed_at()
        if seen is not None:
            remove_old_history(self._connections.database, self._retention, seen, self._stopped)

    def _stopped(self) -> bool:
        return self._over.wait(BETWEEN_REMOVALS.total_seconds())

    def _attempt(self, what: str, work: Callable[[], object]) -> None:
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415
        from structlog import get_logger  # noqa: PLC0415

        try:
            work()
        except KeyturnError as error:
            get_logger("keyturn").error(f"{what}.upkeep_failed", code=error.code, reason=error.message)
        except SQLAlchemyError as error:  # a database that fails for now must not end the upkeep for good
            get_logger("keyturn").error(f"{what}.upkeep_failed", reason=type(error).__name__)

    def _run(self) -> None:
        self.mark()
        while not self._over.wait(UPKEEP_EVERY.total_seconds()):
            self.round()


def _warn(event: str, kind: str, row: str, error: KeyturnError) -> None:
    from structlog import get_logger  # noqa: PLC0415

    get_logger("keyturn").warning(event, **{f"{kind}_id": row}, code=error.code, reason=error.message)
