"""What became other since a snapshot was kept, row by row, and putting that into what was kept.

A row is a path and its value, `[["tenants", ID, "applications", ID], {...}]`; without a value it is gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from entra_emulator.admin.snapshot import Snapshot
from entra_emulator.directory.codec import Unreadable, encode
from entra_emulator.directory.directory import Directory
from entra_emulator.directory.table import Table

Path = tuple[str, ...]
_APART = frozenset({"version", "randomness", "tenants"})
"""The first two are kept with the whole only: after a restart ids are drawn from elsewhere."""


class KeptRows:
    """Which rows of one directory are kept, and as what. Made when all of it is."""

    def __init__(self, directory: Directory, snapshot: Snapshot) -> None:
        self._directory = directory
        self._kept: dict[Path, int] = {}
        """A hash of what is kept of a row; of rows in tables, once they were other for the first time."""
        for path, part in _parts(snapshot):
            if isinstance(part, Table):
                part.touched.clear()
            else:
                self._is_other(path, encode(part))

    def changed(self, directory: Directory, snapshot: Snapshot) -> list[list[Any]] | None:
        """The rows that are other than what is kept, as which they then count; None where everything may be.

        It costs as much as the rows that were in use since, whatever the number of all rows.
        """
        parts = list(_parts(snapshot))
        if directory is not self._directory or any(isinstance(part, Table) and part.everything for _, part in parts):
            return None
        rows: list[list[Any]] = []
        for path, part in parts:
            if isinstance(part, Table):
                rows += self._rows(path, part)
            elif self._is_other(path, value := encode(part)):
                rows.append([[*path], value])
        return rows

    def _rows(self, path: Path, table: Table[Any]) -> Iterator[list[Any]]:
        for key in table.touched:
            if key not in table:
                self._kept.pop((*path, key), None)
                yield [[*path, key]]
            elif self._is_other((*path, key), value := encode(table.seen(key))):
                yield [[*path, key], value]
        table.touched.clear()

    def _is_other(self, path: Path, value: Any) -> bool:
        before, now = self._kept.get(path), hash(json.dumps(value))
        self._kept[path] = now
        return before != now


def put_rows(content: dict[str, Any], rows: Iterable[Sequence[Any]]) -> None:
    """Puts rows into the snapshot they follow. Raises Unreadable for what is no row."""
    try:
        tenants = {tenant["id"]: tenant for tenant in content.get("tenants", [])}
        content["tenants"] = tenants
        for (*parents, name), *value in rows:
            place: Any = content
            for parent in parents:
                place = place.setdefault(parent, {})
            if value:
                [place[name]] = value
            else:
                place.pop(name, None)
        content["tenants"] = list(tenants.values())
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise Unreadable(f"not rows of a snapshot: {error}"[:300]) from error


def _parts(snapshot: Snapshot) -> Iterator[tuple[Path, Any]]:
    """The tables of a snapshot and all that stands beside them, by their paths."""
    yield from _members((), snapshot)
    for tenant in snapshot.tenants:
        yield from _members(("tenants", tenant.id), tenant)


def _members(path: Path, holder: Any) -> Iterator[tuple[Path, Any]]:
    for name in _names(holder):
        value = getattr(holder, name)
        if is_dataclass(value) and any(isinstance(getattr(value, inner), Table) for inner in _names(value)):
            yield from _members((*path, name), value)
        else:
            yield (*path, name), value


def _names(holder: Any) -> list[str]:
    return [item.name for item in fields(holder) if item.name not in _APART]
