"""Conversions that are due, as a source of work."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from keyturn.db.unit import Tx
from keyturn.engine.sources import Source
from keyturn.ports.work import Work
from keyturn.rotations.store import conversions as store

CLAIM = timedelta(minutes=2)
"""Longer than the longest stretch of work between two waits; what a dead process had is found again after it, or at once."""
_PARTITION = "conversion:"


class DueConversions(Source):
    """One connection at a time each. ``advance`` works on the conversion of this id until it waits or is done."""

    kind = "conversion"

    def __init__(self, advance: Callable[[str], None]) -> None:
        self._advance = advance

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return store.any_due(tx, now)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        claimed = store.claim(tx, now, limit, now + CLAIM)
        return [Work(self.kind, one.id, f"{_PARTITION}{one.connection_id}") for one in claimed]

    def do(self, work_id: str) -> None:
        self._advance(work_id)

    def wake(self, tx: Tx, partitions: Collection[str], now: datetime) -> None:
        ours = [name.removeprefix(_PARTITION) for name in partitions if name.startswith(_PARTITION)]
        if ours:
            store.wake(tx, ours, now)
