"""Due rotations as a source of work. Every reason to work on a rotation is its row's ``wake_at``."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from keyturn.db.unit import Tx
from keyturn.engine.sources import BUSY, Source
from keyturn.ports.work import Work
from keyturn.rotations.store import due

CLAIM = timedelta(seconds=10)
"""As long as this nobody else finds what a process found that died before it submitted it."""


class DueRotations(Source):
    """The partition is the application: of two rotations of one application one is worked on at a time.

    ``advance`` works on the rotation of this id until it waits or is done.
    """

    kind = "rotation"

    def __init__(self, advance: Callable[[str], None]) -> None:
        self._advance = advance

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return due.any_due(tx, now)

    def due_before(self, tx: Tx, now: datetime, end: datetime) -> datetime | None:
        return due.due_before(tx, now, end)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        claimed = due.claim_due(tx, now, limit, now + CLAIM)
        return [Work(self.kind, row.rotation_id, row.object_id) for row in claimed]

    def do(self, work_id: str) -> None:
        self._advance(work_id)

    def put_back(self, tx: Tx, works: Sequence[Work], claimed_at: datetime, now: datetime) -> None:
        due.postpone(tx, [work.id for work in works], claimed_at + CLAIM, now + BUSY, now)

    def wake(self, tx: Tx, partitions: Collection[str], now: datetime) -> None:
        due.wake_applications(tx, partitions, now)
