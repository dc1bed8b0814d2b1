"""SQL of the list: one page of what was found, filtered, in order; and all of it, for an export."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.credentials.store import ENTRIES as JOURNAL
from keyturn.db.tables import inventory_entries, inventory_objects, inventory_uses
from keyturn.db.tables.views import rotations
from keyturn.db.unit import Tx
from keyturn.inventory.domain import NO_KEY, Ending, Entry, Finding, InventoryFilter, Origin, Owners, Sort
from keyturn.inventory.plan import Inventory
from keyturn.kit.moments import LAST
from keyturn.ports.inventory import KeyKind, ListedOwner, ObjectKind

_E = inventory_entries
_COLUMNS = tuple(
    _E.c[name]
    for name in (
        *("id", "holder_id", "object_kind", "object_id", "app_id", "name", "audience", "foreign_home", "disabled"),
        *("owner_state", "key_kind", "key_id", "key_name", "hint", "starts_at", "ends_at", "issuer", "subject"),
        *("first_seen_at", "appeared_at", "has_federated", "slots_left"),
    )
)


@dataclass(frozen=True)
class StoredEntry:
    """``holder_id`` is the row of what holds it."""

    holder_id: str
    entry: Entry


def _entry(row: Any) -> StoredEntry:
    kind = row.key_kind
    entry = Entry(
        ObjectKind(row.object_kind),
        row.object_id,
        row.app_id,
        row.name,
        row.audience,
        bool(row.foreign_home),
        bool(row.disabled),
        Owners(row.owner_state),
        KeyKind(kind) if kind else None,
        row.key_id,
        row.key_name,
        row.hint,
        row.starts_at,
        row.ends_at,
        row.issuer,
        row.subject,
        row.first_seen_at,
        row.appeared_at,
        bool(row.has_federated),
        row.slots_left,
    )
    return StoredEntry(row.holder_id, entry)


# --- conditions -------------------------------------------------------------------------------------------------------


def _matching(inventory: Inventory, criteria: InventoryFilter, now: datetime) -> list[sa.ColumnElement[bool]]:
    return [
        _E.c.inventory_id == inventory.id,
        *(_E.c.search.contains(word.lower(), autoescape=True) for word in criteria.words),
        *_of_columns(criteria),
        *_of_moment(criteria, now),
        *_of_others(inventory, criteria),
    ]


def _of_columns(criteria: InventoryFilter) -> Iterator[sa.ColumnElement[bool]]:
    """Yield what is asked of what stands in the line itself."""
    equal = {
        "object_kind": criteria.object_kind,
        "owner_state": criteria.owners,
        "audience": criteria.audience,
        "key_kind": criteria.kind if criteria.kind != NO_KEY else None,
    }
    yield from (_E.c[name] == str(value) for name, value in equal.items() if value is not None)
    if criteria.kind == NO_KEY:
        yield _E.c.key_kind.is_(None)
    if criteria.disabled is not None:
        yield _E.c.disabled.is_(criteria.disabled)
    if criteria.has_slot is not None:
        is_full = _E.c.slots_left == 0
        yield sa.or_(_E.c.slots_left.is_(None), ~is_full) if criteria.has_slot else is_full


def _of_moment(criteria: InventoryFilter, now: datetime) -> Iterator[sa.ColumnElement[bool]]:
    """Yield what is asked of ends."""
    if criteria.expired is not None:
        yield _E.c.order_at <= now if criteria.expired else _E.c.order_at > now
    until = criteria.until(now)
    if until is not None:
        yield from (_E.c.order_at > now, _E.c.order_at <= until, _E.c.order_at < LAST)
    if criteria.finding is not None:
        yield _conditions(now)[criteria.finding]


def _of_others(inventory: Inventory, criteria: InventoryFilter) -> Iterator[sa.ColumnElement[bool]]:
    """Yield what is asked of what this server has to do with it."""
    if criteria.origin is not None:
        yield from _of_origin(inventory, criteria.origin)
    if criteria.rotated is not None:
        apps = _rotated_apps(inventory)
        yield _E.c.app_id.in_(apps) if criteria.rotated else _E.c.app_id.not_in(apps)


_HAS_KEY = _E.c.key_kind.in_([KeyKind.SECRET.value, KeyKind.CERTIFICATE.value])


def _conditions(now: datetime | sa.BindParameter[Any]) -> dict[Finding, sa.ColumnElement[bool]]:
    """Return the rules of ``domain.findings``, as conditions."""
    is_secret = _E.c.key_kind == KeyKind.SECRET.value
    is_local = _E.c.object_kind != ObjectKind.PRINCIPAL.value
    return {
        Finding.NO_OWNER: sa.and_(_E.c.owner_state == Owners.NONE.value, is_local),
        Finding.OWNERS_DISABLED: _E.c.owner_state == Owners.DISABLED.value,
        Finding.LIVES_TOO_LONG: _E.c.long_lived.is_(True),
        Finding.EXPIRED: _E.c.order_at <= now,
        Finding.FOREIGN_APPLICATION: sa.and_(_E.c.foreign_home.is_(True), _HAS_KEY),
        Finding.FEDERATED_BESIDE: sa.and_(_E.c.has_federated.is_(True), is_secret),
        Finding.BLUEPRINT_SECRET: sa.and_(_E.c.object_kind == ObjectKind.BLUEPRINT.value, is_secret),
        Finding.DISABLED_APPLICATION: sa.and_(_E.c.disabled.is_(True), _HAS_KEY),
        Finding.APPEARED: _E.c.appeared_at.is_not(None),
    }


def _of_origin(inventory: Inventory, origin: Origin) -> list[sa.ColumnElement[bool]]:
    of_journal = sa.select(JOURNAL.c.key_id).where(JOURNAL.c.org_id == inventory.org_id, JOURNAL.c.key_id.is_not(None))
    if origin is Origin.FOREIGN:
        return [_E.c.key_kind.is_not(None), _E.c.key_id.not_in(of_journal)]
    return [_E.c.key_id.in_(of_journal.where(JOURNAL.c.adopted.is_(origin is Origin.ADOPTED)))]


def _rotated_apps(inventory: Inventory) -> sa.Select[Any]:
    return sa.select(sa.func.lower(rotations.c.app_id)).where(
        rotations.c.org_id == inventory.org_id,
        rotations.c.cloud == inventory.cloud,
        rotations.c.retired.is_(False),
        rotations.c.app_id.is_not(None),
    )


# --- counts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """How many lines there are, of how many the end is over, how many are credentials, and how often each finding is found."""

    lines: int
    ended: int
    credentials: int
    findings: Mapping[Finding, int]


_NOW = sa.bindparam("now", type_=_E.c.order_at.type)
_COUNTED = sa.select(
    sa.func.count().label("lines"),
    sa.func.count().filter(_E.c.order_at <= _NOW).label("ended"),
    sa.func.count(_E.c.key_kind).label("credentials"),
    *(sa.func.count().filter(rule).label(finding.value) for finding, rule in _conditions(_NOW).items()),
).where(_E.c.inventory_id == sa.bindparam("of_inventory"))


def counted(tx: Tx, inventory: Inventory, now: datetime) -> Counted:
    """Count all of it: one pass over an index."""
    row = tx.rows(_COUNTED, of_inventory=inventory.id, now=now)[0]
    return Counted(row["lines"], row["ended"], row["credentials"], {each: row[each.value] for each in Finding})


# --- pages ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slice:
    """Which part of the list, in which order."""

    sort: Sort = Sort.ENDS
    descending: bool = False
    offset: int = 0
    limit: int = 50


def page(
    tx: Tx,
    inventory: Inventory,
    criteria: InventoryFilter,
    part: Slice,
    now: datetime,
    everything: Counted | None = None,
) -> tuple[list[StoredEntry], int]:
    """Return a page, and how many there are on all of them. ``everything`` spares counting where nothing is filtered.

    By end: what ends next comes first and what has ended last, the newest end first; descending the other way round.
    """
    conditions = _matching(inventory, criteria, now)
    if criteria.words and part.sort is Sort.ENDS:
        return _searched(tx, conditions, part, now)
    if everything and criteria == InventoryFilter():
        total, ended = everything.lines, everything.ended
    else:
        total, ended = _count(tx, conditions, now)
    if part.sort is not Sort.ENDS:
        column = _E.c.name if part.sort is Sort.NAME else _E.c.starts_at
        order = column.desc() if part.descending else column.asc()
        ordered = order if part.sort is Sort.NAME else order.nulls_last()
        return _read(tx, conditions, (ordered, _E.c.id), part.offset, part.limit), total
    living = _Run((*conditions, _E.c.order_at > now), descending=False, count=total - ended)
    over = _Run((*conditions, _E.c.order_at <= now), descending=True, count=ended)
    runs = [over.turned(), living.turned()] if part.descending else [living, over]
    return _across(tx, runs, part), total


def _count(tx: Tx, conditions: Sequence[sa.ColumnElement[bool]], now: datetime) -> tuple[int, int]:
    """Return how many lines there are, and how many of them have ended."""
    ended = sa.func.count().filter(_E.c.order_at <= now)
    row = tx.rows(sa.select(sa.func.count().label("n"), ended.label("ended")).where(*conditions))[0]
    return int(row["n"]), int(row["ended"])


def _searched(
    tx: Tx, conditions: Sequence[sa.ColumnElement[bool]], part: Slice, now: datetime
) -> tuple[list[StoredEntry], int]:
    """As :func:`page` by end, in one pass: no index is of use to words, and few lines have them."""
    ended = _E.c.order_at <= now
    distance = (
        sa.case((ended, 1), else_=0),
        sa.case((ended, None), else_=_E.c.order_at),
        sa.case((ended, _E.c.order_at), else_=None).desc(),
    )
    backwards = (distance[0].desc(), distance[1].desc(), sa.case((ended, _E.c.order_at), else_=None))
    order = (*(backwards if part.descending else distance), _E.c.id)
    query = sa.select(_E.c.id, sa.func.count().over().label("total")).where(*conditions).order_by(*order)
    rows = tx.tuples(query.offset(part.offset).limit(part.limit))
    if not rows and part.offset:
        return [], _count(tx, conditions, now)[0]
    return _with_ids(tx, [row.id for row in rows]), int(rows[0].total) if rows else 0


@dataclass(frozen=True)
class _Run:
    """Entries that an index holds one after the other."""

    conditions: tuple[sa.ColumnElement[bool], ...]
    descending: bool
    count: int

    def turned(self) -> "_Run":
        return _Run(self.conditions, not self.descending, self.count)

    @property
    def order(self) -> tuple[sa.ColumnElement[Any], ...]:
        columns = (_E.c.order_at, _E.c.id)
        return tuple(column.desc() if self.descending else column.asc() for column in columns)


def _across(tx: Tx, runs: Sequence[_Run], part: Slice) -> list[StoredEntry]:
    found: list[StoredEntry] = []
    offset = part.offset
    for run in runs:
        left = part.limit - len(found)
        if left and offset < run.count:
            found += _read(tx, run.conditions, run.order, offset, left)
        offset = max(offset - run.count, 0)
    return found


def _read(tx: Tx, conditions: Sequence[Any], order: Sequence[Any], offset: int, limit: int) -> list[StoredEntry]:
    # Ids alone are sorted where no index is of use: rows are long.
    ids = sa.select(_E.c.id).where(*conditions).order_by(*order).offset(offset).limit(limit)
    return _with_ids(tx, [row.id for row in tx.tuples(ids)])


def _with_ids(tx: Tx, names: Sequence[str]) -> list[StoredEntry]:
    rows = {row.id: row for row in tx.tuples(sa.select(*_COLUMNS).where(_E.c.id.in_(names)))} if names else {}
    return [_entry(rows[name]) for name in names if name in rows]


def after(
    tx: Tx, inventory: Inventory, criteria: InventoryFilter, now: datetime, last: tuple[str, str] | None, limit: int
) -> tuple[list[StoredEntry], tuple[str, str] | None]:
    """Return the next part of all that matches, by name, and where it ended; None: that was the last."""
    conditions = _matching(inventory, criteria, now)
    if last is not None:
        name, entry_id = last
        conditions.append(sa.or_(_E.c.name > name, sa.and_(_E.c.name == name, _E.c.id > entry_id)))
    query = sa.select(*_COLUMNS).where(*conditions).order_by(_E.c.name, _E.c.id).limit(limit)
    rows = tx.tuples(query)
    ended = (rows[-1].name, rows[-1].id) if len(rows) == limit else None
    return [_entry(row) for row in rows], ended


# --- what belongs to a page -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Owned:
    """The owners of an object, and when they were read."""

    owners: tuple[ListedOwner, ...]
    read_at: datetime | None


def owners_of(tx: Tx, holder_ids: Sequence[str]) -> dict[str, Owned]:
    query = sa.select(inventory_objects.c.id, inventory_objects.c.owners, inventory_objects.c.detailed_at)
    rows = tx.rows(query.where(inventory_objects.c.id.in_(holder_ids))) if holder_ids else []
    return {row["id"]: Owned(_owners(row["owners"]), row["detailed_at"]) for row in rows}


def _owners(told: object) -> tuple[ListedOwner, ...]:
    return tuple(ListedOwner(**each) for each in told) if isinstance(told, list) else ()


def origins(tx: Tx, inventory: Inventory, key_ids: Sequence[str]) -> dict[str, Origin]:
    """Return which of these credentials are in the journal, and whether they were adopted."""
    query = sa.select(JOURNAL.c.key_id, JOURNAL.c.adopted).where(
        JOURNAL.c.org_id == inventory.org_id, JOURNAL.c.key_id.in_(key_ids)
    )
    rows = tx.rows(query) if key_ids else []
    return {row["key_id"]: Origin.ADOPTED if row["adopted"] else Origin.OURS for row in rows}


def uses_of(tx: Tx, inventory: Inventory, key_ids: Sequence[str]) -> dict[str, datetime]:
    """Return when these credentials last signed in, those that are reported."""
    query = sa.select(inventory_uses.c.key_id, inventory_uses.c.last_used_at).where(
        inventory_uses.c.inventory_id == inventory.id, inventory_uses.c.key_id.in_(key_ids)
    )
    return {row["key_id"]: row["last_used_at"] for row in tx.rows(query)} if key_ids else {}


def rotations_of(tx: Tx, inventory: Inventory, app_ids: Sequence[str]) -> dict[str, str]:
    """Return the ids of rotations, by client id of the application."""
    app_id = sa.func.lower(rotations.c.app_id)
    query = sa.select(rotations.c.id, app_id.label("app")).where(
        rotations.c.org_id == inventory.org_id,
        rotations.c.cloud == inventory.cloud,
        rotations.c.retired.is_(False),
        app_id.in_(app_ids),
    )
    return {row["app"]: row["id"] for row in tx.rows(query)} if app_ids else {}


# --- what there is ----------------------------------------------------------------------------------------------------


def audiences(tx: Tx, inventory: Inventory) -> list[str]:
    """Return the audiences that there are, for a filter."""
    query = sa.select(inventory_objects.c.audience).where(inventory_objects.c.inventory_id == inventory.id)
    return sorted(row["audience"] for row in tx.rows(query.distinct()) if row["audience"])


def ending(tx: Tx, inventory: Inventory, now: datetime, until: datetime) -> Ending | None:
    """Return what ends of applications without a rotation; None when nothing does."""
    columns = (sa.func.count().label("n"), sa.func.min(_E.c.ends_at).label("first"))
    conditions = (
        _E.c.inventory_id == inventory.id,
        _HAS_KEY,
        _E.c.order_at > now,
        _E.c.order_at <= until,
        _E.c.app_id.not_in(_rotated_apps(inventory)),
    )
    row = tx.one(sa.select(*columns).where(*conditions))
    return Ending(int(row["n"]), row["first"]) if row and row["n"] and row["first"] else None
