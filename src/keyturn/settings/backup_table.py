"""The settings of backups: part of the table, see :mod:`keyturn.settings.table`."""

from keyturn.settings import values
from keyturn.settings.setting import Setting

BACKUP_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "KEYTURN_BACKUP_PUBLIC_KEYS",
        "backup.public_keys",
        values.backup_keys,
        "age1tvq90v6hsmauygjgyhm2s098ks6hsxw9uhqcamrdlneqejuxf3hqrvaww6",
        "Whom backups are encrypted for: public keys that `keyturn backup key` or age-keygen printed, separated by commas or"
        " spaces. Each of the private keys opens them; none is needed here.",
        default="none",
    ),
    Setting(
        "KEYTURN_BACKUP_DIR",
        "backup.folder",
        values.folder,
        "/var/backups/keyturn",
        "Folder into which a server or worker makes backups by itself. Several that share it make one each time.",
        default="none: no backups are made",
    ),
    Setting(
        "KEYTURN_BACKUP_HOURS",
        "backup.hours",
        values.whole(1, 24 * 31),
        "24",
        "Hours from one such backup to the next, or how often cron or a job runs `keyturn backup create`: twice as long without"
        " one is an alarm.",
    ),
    Setting(
        "KEYTURN_BACKUP_KEEP",
        "backup.keep",
        values.whole(1, 10_000),
        "14",
        "How many of them are kept; older ones are deleted when a new one is complete.",
    ),
)
