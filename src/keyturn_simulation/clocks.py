"""The clock of one machine: the world's time, and by how much that machine is wrong."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from keyturn.kit.moments import shift
from keyturn.ports.clock import Clock


@dataclass
class NodeClock:
    """Implements ``ports.Clock``. ``off`` may change at any time, in either direction."""

    true: Clock
    off: timedelta = timedelta(0)

    def now(self) -> datetime:
        return shift(self.true.now(), self.off)
