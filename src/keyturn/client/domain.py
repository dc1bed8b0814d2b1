"""What a program is given: which secrets it asks for, and what came of it. Values only."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from keyturn.errors import KeyturnError
from keyturn.kit.dataclasses import dataclass
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
    """The secrets of a source by name, as they were at ``read_at``. ``tag`` changes whenever they do.

    ``key_ids`` are those of the credentials of Entra ID among the values. Of these one is removed at ``usable_until`` at the
    earliest, by the clock of this machine; None: no removal is planned. ``versions`` are those of the secrets by name.
    """

    values: Mapping[str, Plaintext] = field(repr=False)
    tag: str
    read_at: datetime
    key_ids: tuple[str, ...] = ()
    usable_until: datetime | None = None
    versions: Mapping[str, int] = field(default_factory=dict)

    def same(self, other: "SecretSet | None") -> bool:
        """Say whether a program would notice a difference: it does not see tags, comments and dates."""
        return other is not None and self.values == other.values


@dataclass(frozen=True)
class Answered:
    """What the server said to a read. ``values`` is None when they still are what the tag stands for.

    ``refresh_after`` is in how many seconds it wants to be asked again, ``sunset`` when a value ends that it warned of. Both are
    None for a server that does not say so.
    """

    tag: str
    values: Mapping[str, Plaintext] | None = field(repr=False)
    key_ids: tuple[str, ...] = ()
    usable_for: timedelta | None = None
    refresh_after: float | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    deprecated: bool = False
    sunset: str | None = None


@dataclass(frozen=True)
class Reading:
    """What may be used now. ``stale`` is why it comes from a copy; None: the server said so just now."""

    secret_set: SecretSet
    stale: "Outage | None" = None


class Refusal(KeyturnError):
    """The server said no, in its own words, to somebody who had just signed in. Nothing else may be believed instead."""

    status = 403
    error = "Refused"
    exit_status = 77  # EX_NOPERM of sysexits.h


_LOOK = "Look whether the server runs, and whether KEYTURN_URL or --url is its address."


class Outage(KeyturnError):
    """No answer of the server: it is down, unreachable, busy, or something between answered in its place.

    ``retry_after`` is how many seconds it asked to be left alone.
    """

    status = 503
    error = "Outage"
    exit_status = 69  # EX_UNAVAILABLE of sysexits.h

    def __init__(
        self, message: str, *, retry_after: float | None = None, code: str = "client.outage", fix: str = _LOOK
    ) -> None:
        super().__init__(message, code=code, fix=fix)
        self.retry_after = retry_after


class Expired(Outage):
    """No answer of the server, and what it last said may not be used any more."""

    exit_status = 75  # EX_TEMPFAIL of sysexits.h
