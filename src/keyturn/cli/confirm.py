"""How a command that deletes or revokes says what it would do, and is confirmed."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from keyturn.cli.context import say, tell
from keyturn.errors import KeyturnError, Misconfigured
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.printable import visible_line

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what it would do. Exit status 1 when it would be refused.")
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Do it without asking: where there is no terminal, nothing is done without.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what it would do, and what was done, as JSON.")]
Reason = Annotated[
    str, typer.Option("--reason", help="Why. Where another person has to approve it, this makes it a request to them.")
]


@dataclass(frozen=True)
class Foreseen:
    """What a command would do: its ``title`` is an order, ``lines`` are for people, ``facts`` for programs.

    ``refused``: why it would not be done.
    """

    title: str
    lines: Sequence[str]
    facts: Mapping[str, Any]
    refused: KeyturnError | None = None


@dataclass(frozen=True)
class Done:
    """What was done, as a sentence and as the server answered it."""

    sentence: str
    answer: Mapping[str, Any]


@dataclass(frozen=True)
class Confirmation:
    """What the options say."""

    dry_run: bool
    yes: bool
    as_json: bool

    def __post_init__(self) -> None:
        """Raise Misconfigured when somebody has to be asked and nobody can be."""
        if not (self.dry_run or self.yes or sys.stdin.isatty()):
            raise Misconfigured(
                "There is no terminal on which to ask whether this is meant. Nothing was done.",
                code="command.not_confirmed",
                fix="Add --yes to do it without being asked, or --dry-run to see what it would do.",
            )

    def carry_out(self, foreseen: Foreseen, do: Callable[[], Done]) -> None:
        """Say what would be done, and do it once it is confirmed. Ends the command with exit status 1 where it is not."""
        if not self.as_json:
            self._say(foreseen)
        if self.dry_run or foreseen.refused:
            if self.as_json:
                _print(foreseen, dry_run=self.dry_run)
            if foreseen.refused:
                raise foreseen.refused
            return
        if not self.yes and not _agreed(foreseen):
            tell("Nothing was done.")
            raise typer.Exit(1)
        done = do()
        if self.as_json:
            _print(foreseen, dry_run=False, answer=done.answer)
        tell(done.sentence)

    def _say(self, foreseen: Foreseen) -> None:
        """With --dry-run it is the result of the command; else it comes before that."""
        out = say if self.dry_run else tell
        out(f"{foreseen.title}:")
        for line in foreseen.lines:
            out(f"  {line}")


def _agreed(foreseen: Foreseen) -> bool:
    print(f"{visible_line(foreseen.title)}? Type yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


def _print(foreseen: Foreseen, *, dry_run: bool, answer: Mapping[str, Any] | None = None) -> None:
    refused = {"message": foreseen.refused.message, "fix": foreseen.refused.fix} if foreseen.refused else None
    facts = {"dryRun": dry_run, "preview": foreseen.facts, "refused": refused, "answer": answer}
    print(json.dumps(facts, indent=2))


def request_sentence(answer: Mapping[str, Any]) -> str:
    """Return the sentence for what became a request to another person instead; empty for what was done."""
    request = answer.get("approvalRequest")
    return (
        f"Nothing was done yet: another person has to approve it, until {request['expiresAt'][:16]}." if request else ""
    )
