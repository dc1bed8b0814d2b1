"""What an import did, or would do: one entry for each thing, as values, as a table and as JSON. No entry holds a value."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field
from enum import StrEnum

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.printable import visible


class Kind(StrEnum):
    PROJECT = "project"
    ENVIRONMENT = "environment"
    TAG = "tag"
    FOLDER = "folder"
    SECRET = "secret"
    IMPORT = "import"
    ROTATION = "rotation"


class Outcome(StrEnum):
    CREATED = "created"
    EQUAL = "equal"
    CHANGED = "changed"
    """It was different here, and is now as it is there."""
    DIFFERENT = "different"
    """It is different here, and stayed so."""
    REFUSED = "refused"
    """It cannot be read there, or cannot be here as it is there."""
    KEPT = "kept there"
    """It goes on where it is, used elsewhere; ``fix`` says how to take it over."""


_INCOMPLETE = frozenset({Outcome.DIFFERENT, Outcome.REFUSED})


@dataclass(frozen=True)
class Entry:
    """One thing. ``place`` is the project by its slug here, then environment and folder."""

    kind: Kind
    place: str
    name: str
    outcome: Outcome
    reason: str = ""
    fix: str = ""


@dataclass
class Report:
    """``finished`` is False when the import ended before everything was looked at."""

    source: str
    dry_run: bool
    entries: list[Entry] = field(default_factory=list)
    finished: bool = False

    @property
    def complete(self) -> bool:
        """Whether everything that is there is here, and the same."""
        return self.finished and not any(entry.outcome in _INCOMPLETE for entry in self.entries)

    def as_json(self) -> dict[str, object]:
        counts: dict[str, dict[str, int]] = {}
        for (kind, outcome), number in sorted(Counter((each.kind, each.outcome) for each in self.entries).items()):
            counts.setdefault(kind.value, {})[outcome.value] = number
        entries = [
            {
                "kind": each.kind.value,
                "place": each.place,
                "name": each.name,
                "outcome": each.outcome.value,
                "reason": each.reason,
                "fix": each.fix,
            }
            for each in self.entries
        ]
        return {
            "source": self.source,
            "dryRun": self.dry_run,
            "finished": self.finished,
            "complete": self.complete,
            "counts": counts,
            "entries": entries,
        }

    def lines(self) -> Iterator[str]:
        """Yield the table: a row for each kind of thing in each place, then what is not as it is there, one by one."""
        yield "What an import would do; nothing was changed." if self.dry_run else "What the import did."
        yield from _table(self.entries)
        for outcome, title in _TITLES.items():
            of_it = [each for each in self.entries if each.outcome is outcome]
            if of_it:
                yield f"\n{title}"
                yield from (line for each in of_it for line in _described(each))


_TITLES = {
    Outcome.CHANGED: "Different here, and written over:",
    Outcome.DIFFERENT: "Different here, and left as it is (--overwrite writes over it):",
    Outcome.REFUSED: "Refused:",
    Outcome.KEPT: "Goes on where it is:",
}
_COLUMNS = tuple(Outcome)


def _table(entries: Sequence[Entry]) -> Iterator[str]:
    counts = Counter((each.place, each.kind, each.outcome) for each in entries)
    rows = list(dict.fromkeys((each.place, each.kind) for each in entries))
    width = max([len("place"), *(len(_line(place)) for place, _ in rows)])
    yield f"{'place':{width}}  {'':11}" + "".join(f"  {column.value:>10}" for column in _COLUMNS)
    for place, kind in rows:
        numbers = "".join(f"  {counts[place, kind, column] or '':>10}" for column in _COLUMNS)
        yield f"{_line(place):{width}}  {kind.value:11}{numbers}".rstrip()


def _described(entry: Entry) -> Iterator[str]:
    yield f"  {entry.kind.value} {_line(entry.name)} in {_line(entry.place)}: {_line(entry.reason)}".rstrip(": ")
    if entry.fix:
        yield "    " + visible(entry.fix).replace("\n", "\n    ")


def _line(text: str) -> str:
    """Return a text of the other server as one line that says what it is."""
    return " ".join(visible(text).split())
