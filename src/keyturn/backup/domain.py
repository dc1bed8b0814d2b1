"""What is known of a folder that backups are made in, as a value."""

from dataclasses import dataclass
from datetime import datetime


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
