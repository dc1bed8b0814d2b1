"""Whether what changes in an emulator is found row by row, as `entra-emulator serve --state` keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from entra_emulator import Emulator
from entra_emulator.admin.rows import put_rows


def _differences(path: tuple[str, ...], one: Any, other: Any) -> Iterator[str]:
    """Where two values are not the same, randomness apart; an empty table may be missing."""
    if path == ("randomness",) or one == other or (one is None and other == {}):
        return
    pairs: Any = None
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(name, one.get(name), other.get(name)) for name in {**one, **other}]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(str(place), *pair) for place, pair in enumerate(zip(one, other, strict=True))]
    if pairs is None:
        yield f"{'/'.join(path)}: {one!r:.300} is {other!r:.300}"
        return
    for name, before, after in pairs:
        yield from _differences((*path, name), before, after)


class RowKeeper:
    """Keeps an emulator as it is now, and then what changes in it alone."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._begin()

    def check(self) -> None:
        """What is kept is what the emulator holds. After a reset or an import it is kept anew."""
        rows = self._emulator.changed_rows(self._rows)
        if rows is None:
            self._begin()
            return
        put_rows(self._kept, json.loads(json.dumps(rows)))
        whole = self._whole()
        differences = list(_differences((), self._kept, whole))
        assert not differences, differences

    def _begin(self) -> None:
        self._kept, self._rows = self._whole(), self._emulator.kept_rows()

    def _whole(self) -> dict[str, Any]:
        whole: dict[str, Any] = json.loads(json.dumps(self._emulator.snapshot()))
        return whole
