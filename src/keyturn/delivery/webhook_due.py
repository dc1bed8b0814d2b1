"""What webhooks are to be told, as a source of work; and the end of what was told long ago."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from keyturn.db.unit import Database, Tx
from keyturn.delivery import webhook_store as store
from keyturn.delivery.webhook_sender import WebhookSender
from keyturn.engine.sources import Source
from keyturn.ports.work import Work

AT_ONCE = 4
"""Webhooks that are claimed together: each may keep a thread waiting."""
CLAIM = timedelta(minutes=2)
"""When a round is begun again that never came to its end."""
REMOVED_AT_ONCE = 500
_PARTITION = "webhook:"


class DueWebhooks(Source):
    """A round of each webhook whose project changed, or that has messages to send."""

    kind = "webhook"

    def __init__(self, sender: WebhookSender) -> None:
        self._sender = sender

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return store.any_due(tx, now)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        claimed = store.claim(tx, now, min(limit, AT_ONCE), now + CLAIM)
        return [Work(self.kind, webhook_id, f"{_PARTITION}{webhook_id}") for webhook_id in claimed]

    def do(self, work_id: str) -> None:
        self._sender.round(work_id)

    def wake(self, tx: Tx, partitions: Collection[str], now: datetime) -> None:
        for partition in partitions:
            if partition.startswith(_PARTITION):
                store.set_wake(tx, partition.removeprefix(_PARTITION), now)


def remove_old_messages(database: Database, days: int, confirmed_at: datetime, stopped: Callable[[], bool]) -> bool:
    """Remove messages older than so many days that have come to their end, with their attempts; 0 days: none.

    Ages count from a moment that is certain to have come. ``stopped`` is asked after each part. Repeatable. Returns whether it
    was stopped, so that some may be left.
    """
    before = confirmed_at - timedelta(days=days)
    while days:
        with database.read() as tx:
            message_ids = store.old_messages(tx, before, REMOVED_AT_ONCE)
        if not message_ids:
            break
        with database.write() as tx:
            store.remove_messages(tx, message_ids)
        if stopped():
            return True
    return False
