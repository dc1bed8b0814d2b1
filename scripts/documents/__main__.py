"""Writes the reference documents from the source, or checks that they say what the source says.

Usage, from the project's root: .venv/bin/python scripts/documents [--check] [file ...]
"""

import argparse
import difflib
import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pages
from numbers_page import numbers
from sources import Unreadable

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"
ELSEWHERE = {"values.schema.json": pages.CHART_SCHEMA}
"""Documents that are not in that folder."""
DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "settings.md": pages.settings,
    "cli.md": pages.cli,
    "errors.md": pages.errors,
    "audit-events.md": pages.audit_events,
    "permissions.md": pages.permissions,
    "metrics.md": pages.metrics,
    "numbers.md": numbers,
    "openapi.json": pages.openapi,
    "emulator.md": pages.emulator,
    "values.schema.json": pages.chart_schema,
}
SHOWN = 20


def main(arguments: Sequence[str]) -> int:
    """Return 0, or 1 when ``--check`` found a stale document or the source cannot be understood."""
    parser = argparse.ArgumentParser(prog="scripts/documents", description="Write the reference from the source.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a document is stale")
    parser.add_argument("names", nargs="*", metavar="file", help=f"only these of: {', '.join(DOCUMENTS)}")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(DOCUMENTS):
        parser.error(f"no such document: {', '.join(sorted(unknown))}")
    gc.disable()  # the trees of the whole source are kept to the end: looking through them for garbage takes half the time
    stale = 0
    for name in given.names or DOCUMENTS:
        try:
            stale += _one(name, check=given.check)
        except Unreadable as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    if stale:
        print("Run: make docs", file=sys.stderr)
    return 1 if stale else 0


def _one(name: str, *, check: bool) -> bool:
    """Write the document, or say what is stale in it. Returns whether it is stale."""
    path, text = ELSEWHERE.get(name, FOLDER / name), DOCUMENTS[name]()
    before = path.read_text() if path.exists() else ""
    if before == text:
        return False
    if check:
        changes = list(
            difflib.unified_diff(before.splitlines(), text.splitlines(), "written", "source", lineterm="", n=0)
        )
        print(f"{path.name} is stale: {len(changes)} lines of difference, of which the first:", file=sys.stderr)
        print("\n".join(f"  {line[:160]}" for line in changes[:SHOWN]), file=sys.stderr)
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(f"wrote {path.relative_to(ROOT)}")
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
