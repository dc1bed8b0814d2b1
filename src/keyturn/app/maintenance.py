"""What a process that works does hourly, beside what is due in the tables."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import count

from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from keyturn.approvals.store import forget as forget_requests
from keyturn.audit.retention import remove_old_events
from keyturn.connections import older_rows
from keyturn.connections.refresh_tokens import Grants
from keyturn.crypto.keyring import Keyring
from keyturn.db.unit import Database
from keyturn.delivery.use import remove_old_uses
from keyturn.delivery.webhook_due import remove_old_messages
from keyturn.engine.upkeep import Task
from keyturn.errors import KeyturnError
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers
from keyturn.rotations.retention import remove_old_history
from keyturn.secrets.restoring import remove_for_good
from keyturn.secrets.retention import remove_old_changes, remove_old_versions
from keyturn.settings.model import RetentionSettings

UPKEEP_EVERY = timedelta(hours=1)
BETWEEN_REMOVALS = timedelta(milliseconds=50)
"""For so long others may write before the next part of what is old is removed."""
REMOVALS_AT_ONCE = 100
"""After so many parts, some seconds, a removal ends and is due anew: a server with one thread is to rotate meanwhile."""


class HourlyTasks:
    """Makes sure that the newest data key is young enough, that no old sign-in is remembered, that nothing is kept too long.

    At the start, too, it brings connections and credentials that an older version stored to the form of today. What fails is
    reported, and tried again the next time.
    """

    def __init__(
        self,
        keyring: Keyring,
        database: Database,
        sealer: Sealer,
        providers: Providers,
        clock: Clock,
        grants: Grants,
        clock_confirmed_at: Callable[[], datetime | None],
        retention: RetentionSettings,
        make_backup: Callable[[], None] = lambda: None,
        notice_gap: Callable[[], None] = lambda: None,
    ) -> None:
        self._keyring = keyring
        self._database = database
        self._sealer = sealer
        self._providers = providers
        self._clock = clock
        self._grants = grants
        self._clock_confirmed_at = clock_confirmed_at
        self._retention = retention
        self._make_backup = make_backup
        self._notice_gap = notice_gap
        self._over = threading.Event()

    def tasks(self) -> list[Task]:
        """Return them in the order in which they are done when all are due."""
        return [
            Task("data-keys", partial(self._attempt, "keys", self._keyring.maintain)),
            Task("sign-ins", partial(self._attempt, "oauth", self._grants.forget_sign_ins)),
            Task("audit-retention", partial(self._attempt, "audit_retention", self._remove_old_events)),
            Task("history-retention", partial(self._attempt, "history_retention", self._remove_old_history)),
            Task("use-retention", partial(self._attempt, "use_retention", self._remove_old_uses)),
            Task("change-retention", partial(self._attempt, "change_retention", self._remove_old_changes)),
            Task("webhook-retention", partial(self._attempt, "webhook_retention", self._remove_old_messages)),
            Task("version-retention", partial(self._attempt, "version_retention", self._remove_old_versions)),
            Task("approvals", partial(self._attempt, "approvals", self._forget_requests)),
            Task("deletions", partial(self._attempt, "deletions", self._remove_deleted)),
            Task("continuity", partial(self._attempt, "continuity", self._notice_gap), at_start=True),
            Task("backup", partial(self._attempt, "backup", self._make_backup), at_start=True),
            Task("fingerprints", partial(self._attempt, "fingerprints", self._complete_fingerprints), at_start=True),
        ]

    def _forget_requests(self) -> None:
        with self._database.write() as tx:
            forget_requests(tx, self._clock.now())

    def stop(self) -> None:
        """Let a removal that is under way end after its current part."""
        self._over.set()

    def _complete_fingerprints(self) -> None:
        older_rows.complete(self._database, self._sealer, self._providers, self._clock.now(), _report_unreadable)

    # Nothing is removed until the provider has confirmed this server's clock, and ages count from the moment of that: a clock
    # that has run ahead since removes nothing before its time.

    def _remove_old_events(self) -> bool:
        """Remove audit events that are older than they are to be kept; return whether some may be left."""
        confirmed_at, now = self._clock_confirmed_at(), self._clock.now()
        if confirmed_at is None:
            return False
        return remove_old_events(self._database, self._retention.audit_days, confirmed_at, now, self._enough())

    def _remove_old_history(self) -> bool:
        """Remove steps, runs and keys that are older than they are to be kept; return whether some may be left."""
        confirmed_at = self._clock_confirmed_at()
        if confirmed_at is None:
            return False
        return remove_old_history(self._database, self._retention, confirmed_at, self._enough())

    def _remove_old_uses(self) -> bool:
        """Forget who had credentials that are long gone; return whether some may be left."""
        confirmed_at = self._clock_confirmed_at()
        if confirmed_at is None:
            return False
        return remove_old_uses(self._database, confirmed_at, self._enough())

    def _remove_old_changes(self) -> bool:
        """Remove changes of secrets that are older than they are to be kept; return whether some may be left."""
        confirmed_at = self._clock_confirmed_at()
        if confirmed_at is None:
            return False
        return remove_old_changes(self._database, self._retention, confirmed_at, self._enough())

    def _remove_old_messages(self) -> bool:
        """Remove messages of webhooks that are older than they are to be kept; return whether some may be left."""
        confirmed_at = self._clock_confirmed_at()
        if confirmed_at is None:
            return False
        return remove_old_messages(self._database, self._retention.webhook_days, confirmed_at, self._enough())

    def _remove_old_versions(self) -> bool:
        """Remove versions of secrets that have too many; return whether some may be left. It asks no clock."""
        return remove_old_versions(self._database, self._retention, self._enough())

    def _remove_deleted(self) -> bool:
        """Delete for good what can be restored no longer; return whether some may be left."""
        confirmed_at = self._clock_confirmed_at()
        return confirmed_at is not None and remove_for_good(self._database, confirmed_at, self._enough())

    def _enough(self) -> Callable[[], bool]:
        """Return what is asked after each part of a removal: whether it ends there."""
        parts = count(1)
        return lambda: self._over.wait(BETWEEN_REMOVALS.total_seconds()) or next(parts) >= REMOVALS_AT_ONCE

    def _attempt(self, what: str, work: Callable[[], bool | None]) -> bool:
        try:
            return bool(work())
        except KeyturnError as error:
            get_logger("keyturn").error(f"{what}.upkeep_failed", code=error.code, reason=error.message)
        except SQLAlchemyError as error:
            get_logger("keyturn").error(f"{what}.upkeep_failed", reason=type(error).__name__)
        return False


def _report_unreadable(table: str, row: str, error: KeyturnError) -> None:
    get_logger("keyturn").warning(
        "fingerprints.unreadable", **{f"{table}_id": row}, code=error.code, reason=error.message
    )
