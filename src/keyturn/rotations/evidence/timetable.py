"""When the reports of an application are read again. Pure.

Reports are scarce: only applications are asked for one of whose secrets is to be removed, or was removed just now.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from keyturn.credentials.domain import Credential, State
from keyturn.ports.use_reports import Unobservable
from keyturn.rotations.evidence.domain import Evidence
from keyturn.rotations.evidence.merge import VICTIMS_FOR

OFTEN = timedelta(minutes=10)
OFTEN_FOR = timedelta(hours=28)
WAITING = timedelta(minutes=30)
"""Well within the time for which what was read of the log is fresh."""
PLAIN = timedelta(hours=1)
WATCHED_BEFORE = timedelta(days=2)
"""A removal that waits for nothing is watched for so long before it, to tell who still uses the secret."""
ACTIVITY_EVERY = timedelta(hours=6)
IN_TROUBLE = timedelta(hours=6)
"""What only a person can change is looked at again after so long."""
_LASTING = frozenset({Unobservable.LICENCE, Unobservable.PERMISSION, Unobservable.CLOUD, Unobservable.BETA_OFF})
_LEAST_PAUSE = timedelta(minutes=1)


def wants_activity(evidence: Evidence, rows: Sequence[Credential], now: datetime) -> bool:
    """Whether the credentials' activity is to be read, too: some removal waits, and it was not read for hours."""
    at = evidence.coverage.activity_at
    return any(waits_for_use(row) for row in rows) and (at is None or not now - ACTIVITY_EVERY < at <= now)


def is_of_interest(rows: Sequence[Credential], now: datetime) -> bool:
    """Whether there is anything to read reports for."""
    return any(_of_row(row, now) for row in rows)


def ask_again_at(evidence: Evidence, rows: Sequence[Credential], now: datetime) -> datetime | None:
    """Return when to read the reports again; None: not before another credential is replaced."""
    trouble = evidence.coverage.log_trouble
    moments = [at for at in (_of_row(row, now) for row in rows) if at is not None]
    if not moments:
        return None
    if trouble and trouble.reason in _LASTING:
        return now + IN_TROUBLE if any(waits_for_use(row) for row in rows) else None
    if trouble:
        pause = max(trouble.retry_after or _LEAST_PAUSE, _LEAST_PAUSE)
        return max(min(moments), now + pause)
    return min(moments)


def _of_row(row: Credential, now: datetime) -> datetime | None:
    if row.state is State.REVOKED:
        over = row.removed_at is None or now > row.removed_at + VICTIMS_FOR
        return None if over else now + WAITING
    if row.state is State.REVOKING:
        return now + WAITING
    if row.state is not State.RETIRING or row.revoke_after is None:
        return None
    if waits_for_use(row):
        new = row.retired_at is not None and timedelta() <= now - row.retired_at < OFTEN_FOR
        return now + (OFTEN if new else WAITING)
    return max(now + PLAIN, row.revoke_after - WATCHED_BEFORE)


def waits_for_use(row: Credential) -> bool:
    """Whether its removal waits until it is not used."""
    return row.state is State.RETIRING and (row.grace_ends_at is not None or row.wait_ends_at is not None)
