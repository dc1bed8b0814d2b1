"""Where due work comes from: each feature brings the source of its own, over its own tables.

Due is what a source says; the engine's queue says only what is under way. So nothing is lost with a queue, and work that this
version does not know is left to one that does.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta

import structlog

from keyturn.db.unit import Tx
from keyturn.ports.work import Work

_log = structlog.get_logger("keyturn.engine")

Wake = Callable[[Tx, Collection[str], datetime], None]
"""See :meth:`Source.wake`."""
BUSY = timedelta(seconds=2)
"""After so long a piece is due again whose partition was at work."""


class Source(ABC):
    """One kind of due work. Its moments are kept by the feature; the finder asks, and hands what it gets to the engine.

    Asked by one thread of each process; :meth:`do` is called by several at once, for different partitions.
    """

    kind: str
    """Unique among the sources, and never used again for anything else: other versions may read it."""

    @abstractmethod
    def is_due(self, tx: Tx, now: datetime) -> bool:
        """Whether there is something to claim. Asked about once a second, so it costs no more than a look at an index."""

    def due_before(self, tx: Tx, now: datetime, end: datetime) -> datetime | None:
        """Return when the next piece comes due that is not due yet, if that is before the end. By default none is known."""
        return None

    @abstractmethod
    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        """Take at most so many pieces, those first that have been due for longest.

        What is taken is due again only after a while, for this process and all others: a piece that was lost on its way is
        simply found again.
        """

    @abstractmethod
    def do(self, work_id: str) -> None:
        """Do a piece. Outside transactions. Safe to repeat: it may have been done before, in part or as a whole."""

    def put_back(self, tx: Tx, works: Sequence[Work], claimed_at: datetime, now: datetime) -> None:  # noqa: B027 - a default
        """Make due again soon what was claimed but not begun, as its partition was at work. By default the claim stands."""

    def wake(self, tx: Tx, partitions: Collection[str], now: datetime) -> None:  # noqa: B027 - a default
        """Make due now what a dead process had under way, whoever's it was. By default the claim has to run out."""


class Sources:
    """All sources of a process, by kind."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._by_kind = {source.kind: source for source in sources}

    def __iter__(self) -> Iterator[Source]:
        return iter(self._by_kind.values())

    def do(self, work: Work) -> None:
        """Do a piece of work. One of a kind that is not known here is left alone: its source makes it due again."""
        source = self._by_kind.get(work.kind)
        if source is None:
            _log.warning("work of an unknown kind is left alone", kind=work.kind, work_id=work.id)
            return
        source.do(work.id)

    def wake(self, tx: Tx, partitions: Collection[str], now: datetime) -> None:
        """Make due now what was under way for these partitions. Safe to repeat."""
        for source in self:
            source.wake(tx, partitions, now)


class Spacing:
    """Lets through a few pieces at a time: what has come due meanwhile must not be done all in the same moment."""

    def __init__(self, at_once: int, apart: timedelta) -> None:
        self._at_once = at_once
        self._apart = apart
        self._last: datetime | None = None

    def lets(self, now: datetime) -> bool:
        """Whether the last few are long enough ago. A clock that was set back does not count."""
        return self._last is None or abs(now - self._last) >= self._apart

    def take(self, now: datetime, limit: int) -> int:
        """Return how many may be taken now, where there is room for so many."""
        self._last = now
        return min(self._at_once, limit)
