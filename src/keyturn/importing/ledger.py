"""How an import settles one thing after the other: compared, then created, changed, left alone or refused, and noted."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from typing import Generic, TypeVar

from keyturn.errors import Forbidden, Invalid, NotFound, Refused
from keyturn.importing.client import SourceRefused
from keyturn.importing.planning import outcome_of, reason_of
from keyturn.importing.report import Entry, Kind, Outcome, Report
from keyturn.kit.dataclasses import dataclass

T = TypeVar("T")
C = TypeVar("C")

SAID_NO = (Refused, NotFound, Forbidden, Invalid)
"""What this server says to one thing while others go on."""


@dataclass(frozen=True)
class ImportOptions:
    """``projects`` are slugs there with the slugs that they get here; empty: all, with the same slugs."""

    projects: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Settled(Generic[T]):
    """A thing that is here now. A dry run has no value of what would have been created."""

    value: T | None


class Ledger:
    """Notes what becomes of each thing. ``tell`` is given a line now and then."""

    def __init__(self, options: ImportOptions, report: Report, tell: Callable[[str], None]) -> None:
        self.options = options
        self.report = report
        self.tell = tell

    def note(self, entry: Entry) -> None:
        self.report.entries.append(entry)

    def refuse(self, kind: Kind, place: str, name: str, reason: str) -> None:
        self.note(Entry(kind, place, name, Outcome.REFUSED, reason))

    def settle(
        self,
        kind: Kind,
        place: str,
        name: str,
        *,
        here: Callable[[], T | None],
        wanted: Callable[[], C],
        differences: Callable[[C, T], Iterable[str]],
        create: Callable[[C], T],
        change: Callable[[T, C], T],
        fix: str = "",
    ) -> Settled[T] | None:
        """Let a thing be here as it is there, as far as the options say; return None when that is refused.

        ``fix`` is what to do about a refusal.
        """
        entry = Entry(kind, place, name, Outcome.REFUSED)
        try:
            present, command = here(), wanted()
            different = list(differences(command, present)) if present is not None else None
            outcome = outcome_of(different, overwrite=self.options.overwrite)
            value = present
            if not self.options.dry_run and outcome is Outcome.CREATED:
                value = create(command)
            elif not self.options.dry_run and outcome is Outcome.CHANGED and present is not None:
                value = change(present, command)
        except SAID_NO as error:
            self.note(replace(entry, reason=reason_of(error), fix=fix))
            return None
        self.note(replace(entry, outcome=outcome, reason=", ".join(different or ())))
        return Settled(value)

    def read(self, kind: Kind, place: str, read: Callable[[], Sequence[T]]) -> Sequence[T]:
        """Return what the other server gives; nothing, and a note, when it does not."""
        return list(self.listed(kind, place, _once(read)))

    def listed(self, kind: Kind, place: str, things: Iterator[T]) -> Iterator[T]:
        """Yield what the other server gives, up to where it refuses to."""
        try:
            yield from things
        except SourceRefused as error:
            self.refuse(kind, place, "*", error.message)


def _once(read: Callable[[], Sequence[T]]) -> Iterator[T]:
    yield from read()
