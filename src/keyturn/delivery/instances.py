"""Which instances of which identity read: an instance id is the client's word, so what is kept of them is bounded."""

from collections import OrderedDict
from dataclasses import field
from datetime import datetime, timedelta

from keyturn.delivery.domain import OTHERS
from keyturn.kit.dataclasses import dataclass

LIVE_FOR = timedelta(hours=1)
MOST_OF_ONE = 1000
MOST_OF_ALL = 100_000


@dataclass
class Instances:
    """The instances that were seen within the last hour. Not thread-safe."""

    _seen: "dict[str, OrderedDict[str, datetime]]" = field(default_factory=dict)
    _count: int = 0

    def name(self, identity_id: str, instance: str, now: datetime) -> str:
        """Return the instance as it is counted: itself, or ``OTHERS`` when the identity, or all of them, have too many."""
        own = self._seen.setdefault(identity_id, OrderedDict())
        if instance not in own:
            if len(own) >= MOST_OF_ONE or self._count >= MOST_OF_ALL:
                self._forget(own, now)
            if len(own) >= MOST_OF_ONE or self._count >= MOST_OF_ALL:
                return OTHERS
            self._count += 1
        own[instance] = now
        own.move_to_end(instance)
        return instance

    def forget_old(self, now: datetime) -> None:
        """Forget what was not seen within the last hour."""
        for identity_id, own in list(self._seen.items()):
            self._forget(own, now)
            if not own:
                del self._seen[identity_id]

    def _forget(self, own: "OrderedDict[str, datetime]", now: datetime) -> None:
        while own and now - next(iter(own.values())) >= LIVE_FOR:
            own.popitem(last=False)
            self._count -= 1
