"""Stored values that cannot be read: each is a value of its own, so that the rest of its row, and all other rows, can."""

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from keyturn.kit.dataclasses import dataclass

_SHOWN = 40
W = TypeVar("W", bound=StrEnum)


@dataclass(frozen=True)
class Unread:
    """What stands where a moment or a document should. Never a sealed value: those are not read here."""

    text: str

    def __repr__(self) -> str:
        return repr(self.text if len(self.text) <= _SHOWN else self.text[:_SHOWN] + "...")


def document(text: str | bytes) -> Any:
    """Read a JSON column of SQLite, where nothing checks what is written."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return Unread(str(text))


def values(row: Mapping[str, Any], names: Iterable[str], prefix: str = "") -> tuple[dict[str, Any], list[str]]:
    """Return the values of these columns, None where one cannot be read, and what to say of each of those."""
    readable: dict[str, Any] = {}
    faults: list[str] = []
    for name in names:
        value = row[prefix + name]
        if isinstance(value, Unread):
            faults.append(f"{name} is {value!r}")
            value = None
        readable[name] = value
    return readable, faults


def word(row: Mapping[str, Any], name: str, instead: W, faults: list[str]) -> W:
    """Return the word of this column; ``instead``, and one more fault, for one that nobody knows."""
    try:
        return type(instead)(row[name])
    except ValueError:
        faults.append(f"{name} is {Unread(str(row[name]))!r}, which counts as {instead.value!r}")
        return instead


def sentence(what: str, faults: Iterable[str]) -> str:
    """Return what to say of a row that these faults were found in; nothing when there are none."""
    fields = ", ".join(faults)
    return f"The stored {what} cannot be read: {fields}." if fields else ""


def texts(value: object) -> tuple[str, ...]:
    """Return the texts of a JSON list; nothing for anything else."""
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def mapping(value: object) -> dict[str, Any] | None:
    """Return a JSON object of a column; None for nothing and for anything else."""
    return value if isinstance(value, dict) else None
