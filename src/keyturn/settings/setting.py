"""What a setting is: a variable, what it means, and where its value goes."""

from collections.abc import Callable
from datetime import timedelta

from keyturn.kit.dataclasses import dataclass
from keyturn.settings.model import BackupSettings, Pace, Quotas, RetentionSettings, Settings


@dataclass(frozen=True)
class Setting:
    """One variable. ``field`` is where its value goes: a field of Settings, or a part such as ``pace.<field>``. ``fallback`` is
    an older spelling that counts when this one is empty.
    """

    name: str
    field: str
    parse: Callable[[str], object]
    example: str
    help: str
    default: str = ""
    secret: bool = False
    fallback: str = ""
    read_later: bool = False
    """Whether the path of its file is kept: who uses the file reads it each time, and it need not be text."""

    @property
    def file_name(self) -> str:
        """The variable that names a file holding the value; secrets have one."""
        return f"{self.name}_FILE"

    def default_text(self) -> str:
        """Return the default as people write it, or nothing when there is none."""
        part, _, name = self.field.rpartition(".")
        owner = {
            "": Settings,
            "pace": Pace,
            "quotas": Quotas,
            "retention": RetentionSettings,
            "backup": BackupSettings,
        }.get(part)
        value = getattr(owner, name, None) if owner else None
        if isinstance(value, timedelta):
            return f"{value.total_seconds():g}"
        return self.default or (str(value) if isinstance(value, str | int) else "")
