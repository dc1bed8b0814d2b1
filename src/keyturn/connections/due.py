"""What connections need from time to time, as sources of work: a look whether they work, and the use of a refresh token."""

from datetime import datetime, timedelta

import structlog

from keyturn.connections import due_store
from keyturn.connections.daily_check import DailyCheck
from keyturn.connections.refresh_tokens import Grants
from keyturn.db.unit import Tx
from keyturn.engine.sources import Source, Spacing
from keyturn.errors import KeyturnError
from keyturn.ports.work import Work

log = structlog.get_logger()

LOOKS_AT_ONCE = 2
REFRESHES_AT_ONCE = 1
APART = timedelta(seconds=1)
LOOK_CLAIM = timedelta(hours=1)
"""When a look is tried again that never came to its end."""
RETRY_REFRESH = timedelta(hours=1)
"""When a refresh is tried again that failed, or never came to its end."""


class Looks(Source):
    """The daily look at each connection: a few in a second."""

    kind = "look"

    def __init__(self, check: DailyCheck) -> None:
        self._check = check
        self._spacing = Spacing(LOOKS_AT_ONCE, APART)

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return self._spacing.lets(now) and due_store.any_look_due(tx, now)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        claimed = due_store.claim_looks(tx, now, self._spacing.take(now, limit), now + LOOK_CLAIM)
        return [Work(self.kind, connection_id, f"look:{connection_id}") for connection_id in claimed]

    def do(self, work_id: str) -> None:
        self._check.run(work_id)


class RefreshTokens(Source):
    """Every refresh token that would grow too old is used, which keeps it alive: one in a second.

    Nothing is due on a server without settings for OAuth.
    """

    kind = "refresh-token"

    def __init__(self, grants: Grants) -> None:
        self._grants = grants
        self._spacing = Spacing(REFRESHES_AT_ONCE, APART)

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return self._grants.configured and self._spacing.lets(now) and due_store.any_refresh_due(tx, now)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        if not self._grants.configured:
            return []
        claimed = due_store.claim_refreshes(tx, now, self._spacing.take(now, limit), now + RETRY_REFRESH)
        return [Work(self.kind, connection_id, f"refresh:{connection_id}") for connection_id in claimed]

    def do(self, work_id: str) -> None:
        """A refresh that fails is told to the log, and is due again after :data:`RETRY_REFRESH`."""
        try:
            self._grants.refresh(work_id)
        except KeyturnError as error:
            log.warning("oauth.refresh_failed", connection_id=work_id, code=error.code, reason=error.message)
