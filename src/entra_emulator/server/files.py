"""Files that are whole whatever moment the process ends at: written in one step, or line by line, the newest lines alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


class LineFiles:
    """Lines in `NAME.jsonl`, and those before them in `NAME.1.jsonl`.

    A file that holds `most` lines or `largest` bytes becomes the older one, in place of the one before: between one and two
    files full are kept. Lines are handed to the system when they are added, so they survive the end of the process; those of the
    last moments before a power cut may be lost.
    """

    def __init__(self, path: Path, most: int, largest: int) -> None:
        self._path, self._older = path, path.with_suffix(".1.jsonl")
        self._most, self._largest = most, largest
        self._lines = self._size = 0

    def read(self) -> list[Any]:
        """The lines that are kept, oldest first. Half a line at the end, of a moment that was cut short, is removed.

        Raises OSError where a file cannot be read, and ValueError for a line that is not JSON.
        """
        older, newer = _whole_lines(self._older), _whole_lines(self._path)
        self._lines, self._size = len(newer), sum(len(line) + 1 for line in newer)
        return [json.loads(line) for line in (*older, *newer)]

    def add(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Adds these lines. Raises OSError where they cannot be written."""
        data = [_line(item) for item in items]
        if not data:
            return
        if self._lines >= self._most or self._size >= self._largest:
            self._path.replace(self._older)
            self._lines = self._size = 0
        content = b"".join(data)
        with os.fdopen(os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "wb") as file:
            file.write(content)
        self._lines, self._size = self._lines + len(data), self._size + len(content)

    def replace(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Keeps these lines alone. Raises OSError where they cannot be written."""
        write_whole(self._path, b"".join(_line(item) for item in items))
        self._older.unlink(missing_ok=True)
        self.read()

    def clear(self) -> None:
        """Keeps nothing any more."""
        self._older.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        self._lines = self._size = 0


def _line(item: Mapping[str, Any]) -> bytes:
    return json.dumps(item, separators=(",", ":")).encode() + b"\n"


def _whole_lines(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    content, _, rest = path.read_bytes().rpartition(b"\n")
    if rest:
        os.truncate(path, path.stat().st_size - len(rest))
    return content.split(b"\n") if content else []


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file in one step, for its owner alone: it is whole or as it was before, also after a power cut."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        draft.replace(path)
    except OSError:
        draft.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
