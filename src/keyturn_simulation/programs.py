"""Programs that use secrets of applications, as they are in truth."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass
class Program:
    """Reads the secret of a secret rotation. ``uses`` is the key id that it signs in with, in truth.

    ``interval``: how often it announced to come; None: it never did. ``last_at`` is when it last came.
    """

    number: int
    name: str
    reads: str
    interval: timedelta | None
    uses: str | None = None
    last_at: datetime | None = None
    alive: bool = True

    def counts_at(self, now: datetime) -> bool:
        """Whether it counts as using what it used when it last came, dead or alive."""
        return self.interval is None or (self.last_at is not None and now < self.last_at + 2 * self.interval)
