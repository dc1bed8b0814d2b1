"""What a program is given: which secrets it asks for, and what came of it. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keyturn.errors import KeyturnError
from keyturn.kit.secret import Plaintext


@dataclass(frozen=True)
class Source:
    """The secrets of one folder. ``project`` is an id or a slug, ``environment`` a slug.

    With ``recursive`` those of the folders below as well, with ``imports`` those that the folder imports.
    """

    project: str
    environment: str
    path: str = "/"
    recursive: bool = False
    imports: bool = True

    def binding(self) -> tuple[str, ...]:
        """Return all that tells this source from every other."""
        return (self.project, self.environment, self.path, str(self.recursive), str(self.imports))

    def shown(self) -> str:
        """Return words for messages."""
        return f"{self.project}, environment {self.environment}, {self.path}"


@dataclass(frozen=True)
class SecretSet:
    """The secrets of a source by name, as they were at ``read_at``. ``tag`` changes whenever they do."""

    values: Mapping[str, Plaintext] = field(repr=False)
    tag: str
    read_at: datetime


class Refusal(KeyturnError):
    """The server said no, in its own words, to somebody who had just signed in. Nothing else may be believed instead."""

    status = 403
    error = "Refused"
    exit_status = 77  # EX_NOPERM of sysexits.h


class Outage(KeyturnError):
    """No answer of the server: it is down, unreachable, busy, or something between answered in its place.

    ``retry_after`` is how many seconds it asked to be left alone.
    """

    status = 503
    error = "Outage"
    exit_status = 69  # EX_UNAVAILABLE of sysexits.h

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(
            message,
            code="client.outage",
            fix="Look whether the server runs and its address is right: keyturn secrets list",
        )
        self.retry_after = retry_after
