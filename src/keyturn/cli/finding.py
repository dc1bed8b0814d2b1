"""What a check of ``keyturn doctor`` finds."""

from keyturn.errors import KeyturnError
from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class CheckupFinding:
    """One line of the report. ``level`` is ok, warn or fail."""

    level: str
    subject: str
    message: str
    fix: str = ""


def ok(subject: str, message: str) -> CheckupFinding:
    return CheckupFinding("ok", subject, message)


def from_error(subject: str, error: KeyturnError) -> CheckupFinding:
    return CheckupFinding("fail", subject, error.message, error.fix or "")
