"""Rows of the journal as the judge reads them, past the product's own code."""

import json
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from keyturn.credentials.domain import State
from keyturn_simulation.schedule_oracle import slot_after

_ROW = (
    "id, rotation_id, object_id, run_id, generation, state, adopted, key_id, starts_at, ends_at, revoke_after, asked_at,"
    " published_at, retired_at, value IS NOT NULL, note, marker, issued_at, not_yet_at"
)
ONE_ROW = f"SELECT {_ROW} FROM credentials WHERE id = ?"  # noqa: S608 - constants only


@dataclass(frozen=True)
class Row:
    """A journal row, read past the product's own code."""

    id: str
    rotation_id: str
    object_id: str
    run_id: str | None
    generation: int
    state: State
    adopted: bool
    key_id: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    revoke_after: datetime | None
    asked_at: datetime | None
    published_at: datetime | None
    retired_at: datetime | None
    has_value: bool
    note: str | None
    marker: str
    issued_at: datetime | None
    not_yet_at: datetime | None


def slot_of(anchor: str, days: int, hour: int, minute: int, zone: str) -> datetime:
    """Return the slot after the anchor, by another computation than the product's."""
    at = json.loads(anchor)
    return slot_after(
        datetime.fromisoformat(at["at"]),
        scheduled=at["scheduled"],
        interval_days=days,
        at=time(hour, minute),
        zone_name=zone,
    )


def is_gone(rows: Iterable[Row], rotation_id: str, keys_of: Callable[[str], Container[str | None]]) -> bool:
    """Say whether Entra does not have the current secret of the rotation any more."""
    current = (row for row in rows if row.rotation_id == rotation_id and row.state is State.CURRENT)
    return all(row.key_id not in keys_of(row.object_id) for row in current)


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _optional(text: str | None) -> datetime | None:
    return moment_of(text) if text else None


def read_row(cells: tuple[Any, ...]) -> Row:
    moments, more_moments = map(_optional, cells[8:14]), map(_optional, cells[17:19])
    ids, state, adopted, has_value = cells[:5], State(cells[5]), bool(cells[6]), bool(cells[14])
    values = (*ids, state, adopted, cells[7], *moments, has_value, cells[15], cells[16], *more_moments)
    return Row(*values)
