"""SQL of the folders that backups are made in: what the processes that look there have seen.

A process knows its own folder only. Whoever is to be told that backups are too old may be another one.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from keyturn.backup.domain import BackupFolder, in_use
from keyturn.db.tables import backup_folders
from keyturn.db.unit import Tx


def note(tx: Tx, folder: str, hours: int, made_at: datetime | None, failure: str | None, now: datetime) -> None:
    """Write down what was found in a folder, and forget those that are looked into no more. Repeatable."""
    gone = [each.folder for each in _all(tx) if each.is_forgotten(now)]
    tx.run(sa.delete(backup_folders).where(backup_folders.c.folder.in_(gone)))
    tx.add_new(backup_folders, folder=folder, hours=hours, since=now, looked_at=now)
    update = sa.update(backup_folders).where(backup_folders.c.folder == folder)
    tx.run(update.values(hours=hours, looked_at=now, made_at=made_at, failure=failure))


def looked_into(tx: Tx, now: datetime) -> Sequence[BackupFolder]:
    """Return the folders that backups are made in."""
    return in_use(_all(tx), now)


def _all(tx: Tx) -> list[BackupFolder]:
    names = BackupFolder.__dataclass_fields__
    rows = tx.rows(sa.select(backup_folders).order_by(backup_folders.c.folder))
    return [BackupFolder(**{name: row[name] for name in names}) for row in rows]
