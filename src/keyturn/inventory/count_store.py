"""SQL of how many objects and lines there are, and how often each finding is found. Counting reads all of an inventory, so counts
are kept with it: until something changes, which removes them in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db import unread
from keyturn.db.tables import inventories, inventory_entries, inventory_objects
from keyturn.db.unit import Tx
from keyturn.inventory.domain import Finding
from keyturn.inventory.filter_store import Condition, finding_conditions
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import LAST

_E, _O = inventory_entries, inventory_objects


@dataclass(frozen=True)
class Counts:
    """How many objects there are, of how many owners are still to be read, how many lines and credentials there are.

    ``findings`` are those that the time alone does not bring about. ``audiences`` are those that there are.
    """

    objects: int = 0
    waiting: int = 0
    lines: int = 0
    credentials: int = 0
    findings: Mapping[Finding, int] = field(default_factory=dict)
    audiences: tuple[str, ...] = ()


_LASTING: dict[Finding, Condition] = {
    finding: rule for finding, rule in finding_conditions(LAST).items() if finding is not Finding.EXPIRED
}
_IDS: sa.BindParameter[list[str]] = sa.bindparam("ids", expanding=True)
_KEPT = sa.select(inventories.c.id, inventories.c.counted).where(inventories.c.id.in_(_IDS))
_OBJECTS = (
    sa.select(
        _O.c.inventory_id,
        sa.func.count().label("objects"),
        sa.func.sum(sa.case((_O.c.stale.is_(True), 1), else_=0)).label("waiting"),
    )
    .where(_O.c.inventory_id.in_(_IDS))
    .group_by(_O.c.inventory_id)
)
_LINES = (
    sa.select(
        _E.c.inventory_id,
        sa.func.count().label("lines"),
        sa.func.count(_E.c.key_kind).label("credentials"),
        *(sa.func.count().filter(rule).label(finding.value) for finding, rule in _LASTING.items()),
    )
    .where(_E.c.inventory_id.in_(_IDS))
    .group_by(_E.c.inventory_id)
)
_AUDIENCES = (
    sa.select(_O.c.inventory_id, _O.c.audience).where(_O.c.inventory_id.in_(_IDS), _O.c.audience != "").distinct()
)
_ENDED = sa.select(sa.func.count().label("n")).where(
    _E.c.inventory_id == sa.bindparam("of_inventory"), _E.c.order_at <= sa.bindparam("now", type_=_E.c.order_at.type)
)


def counts(tx: Tx, inventory_ids: Sequence[str]) -> dict[str, Counts]:
    """Return the counts of these inventories, by id: one statement, or four where some are not kept."""
    found = {row["id"]: _read(row["counted"]) for row in tx.rows(_KEPT, ids=list(inventory_ids))}
    kept = {each: counted for each, counted in found.items() if counted is not None}
    return kept | _counted(tx, [each for each in inventory_ids if each not in kept])


def ended(tx: Tx, inventory_id: str, now: datetime) -> int:
    """Return of how many lines the end is over."""
    row = tx.one(_ENDED, of_inventory=inventory_id, now=now)
    return int(row["n"]) if row else 0


def recount(tx: Tx, inventory_id: str) -> None:
    """Count anew what is not counted, and keep it. Who changes something meanwhile waits, and removes it again."""
    query = sa.select(inventories.c.counted).where(inventories.c.id == inventory_id)
    row = tx.one(query.with_for_update())
    if row is not None and _read(row["counted"]) is None:
        told = _document(_counted(tx, [inventory_id])[inventory_id])
        tx.run(sa.update(inventories).where(inventories.c.id == inventory_id).values(counted=told))


def forget_counts(tx: Tx, inventory_id: str) -> None:
    """Remove the counts of an inventory: something of it changes."""
    kept = (inventories.c.id == inventory_id, inventories.c.counted.is_not(sa.null()))
    tx.run(sa.update(inventories).where(*kept).values(counted=sa.null()))


def _counted(tx: Tx, inventory_ids: Sequence[str]) -> dict[str, Counts]:
    if not inventory_ids:
        return {}
    objects = {row["inventory_id"]: row for row in tx.rows(_OBJECTS, ids=list(inventory_ids))}
    lines = {row["inventory_id"]: row for row in tx.rows(_LINES, ids=list(inventory_ids))}
    audiences: dict[str, list[str]] = {}
    for row in tx.rows(_AUDIENCES, ids=list(inventory_ids)):
        audiences.setdefault(row["inventory_id"], []).append(row["audience"])
    return {
        each: _counts({**objects.get(each, {}), **lines.get(each, {}), "audiences": sorted(audiences.get(each, ()))})
        for each in inventory_ids
    }


def _counts(row: Mapping[str, Any]) -> Counts:
    numbers = {name: int(row.get(name) or 0) for name in ("objects", "waiting", "lines", "credentials")}
    findings = {finding: int(row.get(finding.value) or 0) for finding in _LASTING}
    return Counts(**numbers, findings=findings, audiences=tuple(row["audiences"]))


def _document(counted: Counts) -> dict[str, object]:
    findings = {finding.value: count for finding, count in counted.findings.items()}
    numbers = {name: value for name, value in vars(counted).items() if name != "findings"}
    return {**numbers, **findings, "audiences": list(counted.audiences)}


def _read(told: object) -> Counts | None:
    """Return counts that are kept; None where there are none, or where they are of another version of this server."""
    document = unread.mapping(told)
    if document is None or not {"audiences", *(finding.value for finding in _LASTING)} <= document.keys():
        return None
    return _counts(document)
