"""What is known of a folder that backups are made in, as a value."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift

_FORGOTTEN_AFTER = timedelta(days=14)


@dataclass(frozen=True)
class BackupFolder:
    """``made_at`` is the moment of the newest backup in it, None while there is none since ``since``.

    ``hours``: how often one is made. ``failure`` is why the last attempt failed.
    """

    folder: str
    hours: int
    since: datetime
    looked_at: datetime
    made_at: datetime | None = None
    failure: str | None = None

    def is_forgotten(self, now: datetime) -> bool:
        """Whether nobody has looked into it for so long that it is not one of this server any more.

        That is later than a backup that a command makes rarely is overdue: such a folder is looked into once each time.
        """
        return shift(self.looked_at, max(_FORGOTTEN_AFTER, 4 * timedelta(hours=self.hours))) < now


def in_use(folders: Sequence[BackupFolder], now: datetime) -> list[BackupFolder]:
    """Leave out those that are forgotten, and those that others replace.

    These are folders that nobody looked into at the time of their next backup, while there is a newer one in another.
    """
    newest = max((each.made_at for each in folders if each.made_at), default=None)

    def is_replaced(each: BackupFolder) -> bool:
        idle = shift(each.looked_at, timedelta(hours=each.hours)) < now
        return idle and newest is not None and newest > (each.made_at or each.since)

    return [each for each in folders if not each.is_forgotten(now) and not is_replaced(each)]
