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
    last moments before a power cut may be lost, unless they are `synced`.
    """

    def __init__(self, path: Path, most: int, largest: int, *, synced: bool = False) -> None:
        self._path, self._older = path, path.with_suffix(".1.jsonl")
        self._most, self._largest, self._synced = most, largest, synced
        self._lines = self.size = 0
        self._waiting: list[bytes] = []
        """Lines that could not be written yet."""

    def read(self) -> list[dict[str, Any]]:
        """The lines that are kept, oldest first. What a moment that was cut short left at the end is removed.

        Raises OSError where a file cannot be read, and ValueError for a line that is no JSON object.
        """
        older, newer = _whole_lines(self._older), _whole_lines(self._path)
        self._lines, self.size = len(newer), sum(len(line) + 1 for line in newer)
        try:
            return [_item(line) for line in (*older, *newer)]
        except ValueError as error:
            raise ValueError(f"{self._path.name} holds a line that is no JSON object: {error}") from error

    def add(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Adds these lines. Raises OSError where they cannot be written: they are then added before the next ones."""
        self._waiting += [_line(item) for item in items]
        if not self._waiting:
            return
        if self._lines >= self._most or self.size >= self._largest:
            self._path.replace(self._older)
            self._lines = self.size = 0
        content = b"".join(self._waiting)
        _append(self._path, content, synced=self._synced)
        self._lines, self.size = self._lines + len(self._waiting), self.size + len(content)
        self._waiting.clear()

    def replace(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Keeps these lines alone. Raises OSError where they cannot be written."""
        write_whole(self._path, b"".join(_line(item) for item in items))
        self._older.unlink(missing_ok=True)
        self.read()

    def clear(self) -> None:
        """Keeps nothing any more."""
        self._older.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        self._lines = self.size = 0
        self._waiting.clear()


def _line(item: Mapping[str, Any]) -> bytes:
    return json.dumps(item, separators=(",", ":")).encode() + b"\n"


def _item(line: bytes) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError(f"{str(value)[:100]!r}")  # noqa: TRY004 - bad input, like what is not JSON at all
    return value


def _append(path: Path, content: bytes, *, synced: bool) -> None:
    """Adds all of this to a file, or nothing: a disk that is full leaves no half a line before the next one."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        before, written = os.fstat(descriptor).st_size, 0
        try:
            while written < len(content):
                written += os.write(descriptor, content[written:])
            if synced:
                os.fdatasync(descriptor)
                if not before:
                    _sync_folder(path.parent)
        except OSError:
            os.ftruncate(descriptor, before)
            raise
    finally:
        os.close(descriptor)


def _whole_lines(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[
        : content.partition(b"\0")[0].rfind(b"\n") + 1
    ]  # a power cut may leave zeros in place of what was written
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    return whole.splitlines()


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file in one step, for its owner alone: it is whole or as it was before, also after a power cut.

    Raises OSError, which names the file, where it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Keeps the names in it through a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
