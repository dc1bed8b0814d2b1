"""What a measurement says."""

from typing import NamedTuple


class Measured(NamedTuple):
    """One line for people, and whether it keeps the limit that the line names. Without a limit: ``True``."""

    line: str
    kept: bool = True

    def __str__(self) -> str:
        return self.line if self.kept else f"{self.line} LIMIT MISSED"
