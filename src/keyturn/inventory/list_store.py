"""SQL of the list: one page of what was found, filtered, in order; and all of it, for an export."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.authz.authorize import Scope, Visibility
from keyturn.connections import tenant_store
from keyturn.connections.domain import Connection
from keyturn.credentials.store import ENTRIES as JOURNAL
from keyturn.db.tables import inventory_entries, inventory_objects, inventory_uses
from keyturn.db.tables.views import rotations
from keyturn.db.unit import Tx
from keyturn.inventory.count_store import ended as count_ended
from keyturn.inventory.domain import ApplicationUse, Ending, Entry, Origin, Owners, ShownConnection, SignIn, Sort
from keyturn.inventory.filter_store import HAS_KEY, Selection, rotated_apps
from keyturn.inventory.plan import Inventory
from keyturn.kit.dataclasses import dataclass
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


# --- pages ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slice:
    """Which part of the list, in which order."""

    sort: Sort = Sort.ENDS
    descending: bool = False
    offset: int = 0
    limit: int = 50


def page(tx: Tx, selection: Selection, part: Slice, lines: int | None = None) -> tuple[list[StoredEntry], int]:
    """Return a page, and how many there are on all of them. ``lines`` are all of the inventory, where that was counted already.

    By end: what ends next comes first and what has ended last, the newest end first; descending the other way round.
    """
    conditions, now = selection.conditions(), selection.now
    if selection.criteria.words and part.sort is Sort.ENDS:
        return _searched(tx, selection, part)
    if lines is not None and selection.is_everything:
        total, ended = lines, count_ended(tx, selection.inventory.id, now)
    else:
        total, ended = _count(tx, selection)
    if part.sort is not Sort.ENDS:
        column = _E.c.name if part.sort is Sort.NAME else _E.c.starts_at
        order = column.desc() if part.descending else column.asc()
        ordered = order if part.sort is Sort.NAME else order.nulls_last()
        return _read(tx, selection.source, conditions, (ordered, _E.c.id), part), total
    living = _Run((*conditions, _E.c.order_at > now), descending=False, count=total - ended)
    over = _Run((*conditions, _E.c.order_at <= now), descending=True, count=ended)
    runs = [over.turned(), living.turned()] if part.descending else [living, over]
    return _across(tx, runs, part), total


def _count(tx: Tx, selection: Selection) -> tuple[int, int]:
    """Return how many lines there are, and how many of them have ended."""
    ended = sa.func.count().filter(_E.c.order_at <= selection.now)
    query = sa.select(sa.func.count().label("n"), ended.label("ended")).select_from(selection.source)
    row = tx.rows(query.where(*selection.conditions()))[0]
    return int(row["n"]), int(row["ended"])


def _searched(tx: Tx, selection: Selection, part: Slice) -> tuple[list[StoredEntry], int]:
    """As :func:`page` by end, in one pass: no index is of use to words, and few lines have them."""
    ended = _E.c.order_at <= selection.now
    distance = (
        sa.case((ended, 1), else_=0),
        sa.case((ended, None), else_=_E.c.order_at),
        sa.case((ended, _E.c.order_at), else_=None).desc(),
    )
    backwards = (distance[0].desc(), distance[1].desc(), sa.case((ended, _E.c.order_at), else_=None))
    order = (*(backwards if part.descending else distance), _E.c.id)
    query = sa.select(_E.c.id, sa.func.count().over().label("total")).select_from(selection.source)
    query = query.where(*selection.conditions()).order_by(*order)
    rows = tx.tuples(query.offset(part.offset).limit(part.limit))
    if not rows and part.offset:
        return [], _count(tx, selection)[0]
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
            found += _read(tx, _E, run.conditions, run.order, replace(part, offset=offset, limit=left))
        offset = max(offset - run.count, 0)
    return found


def _read(
    tx: Tx, source: sa.FromClause, conditions: Sequence[Any], order: Sequence[Any], part: Slice
) -> list[StoredEntry]:
    # Ids alone are sorted where no index is of use: rows are long.
    ids = sa.select(_E.c.id).select_from(source).where(*conditions).order_by(*order)
    return _with_ids(tx, [row.id for row in tx.tuples(ids.offset(part.offset).limit(part.limit))])


def _with_ids(tx: Tx, names: Sequence[str]) -> list[StoredEntry]:
    rows = {row.id: row for row in tx.tuples(sa.select(*_COLUMNS).where(_E.c.id.in_(names)))} if names else {}
    return [_entry(rows[name]) for name in names if name in rows]


def after(
    tx: Tx, selection: Selection, last: tuple[str, str] | None, limit: int
) -> tuple[list[StoredEntry], tuple[str, str] | None]:
    """Return the next part of all that is asked for, by name, and where it ended; None: that was the last."""
    conditions = selection.conditions_in_turn()
    if last is not None:
        name, entry_id = last
        conditions.append(sa.or_(_E.c.name > name, sa.and_(_E.c.name == name, _E.c.id > entry_id)))
    query = sa.select(*_COLUMNS).where(*conditions)
    rows = tx.tuples(query.order_by(_E.c.name, _E.c.id).limit(limit))
    ended = (rows[-1].name, rows[-1].id) if len(rows) == limit else None
    return [_entry(row) for row in rows], ended


# --- what belongs to a page -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HolderFacts:
    """What belongs to an object: its owners, when they were read, when it was made, and the policy that is assigned to it."""

    owners: tuple[ListedOwner, ...] = ()
    read_at: datetime | None = None
    made_at: datetime | None = None
    policy_id: str | None = None


def facts_of(tx: Tx, holder_ids: Sequence[str]) -> dict[str, HolderFacts]:
    """Return what belongs to these objects, by the row of each."""
    of = inventory_objects.c
    query = sa.select(of.id, of.owners, of.detailed_at, of.made_at, of.policy_id).where(of.id.in_(holder_ids))
    rows = tx.rows(query) if holder_ids else []
    return {
        row["id"]: HolderFacts(_owners(row["owners"]), row["detailed_at"], row["made_at"], row["policy_id"])
        for row in rows
    }


def _owners(told: object) -> tuple[ListedOwner, ...]:
    return tuple(ListedOwner(**each) for each in told) if isinstance(told, list) else ()


def origins(tx: Tx, inventory: Inventory, key_ids: Sequence[str]) -> dict[tuple[str, str], Origin]:
    """Return which of these credentials are in the journal, and whether they were adopted: by the object and the key id.

    Whoever adds a certificate chooses its key id, which may be that of one of another application.
    """
    query = sa.select(JOURNAL.c.object_id, JOURNAL.c.key_id, JOURNAL.c.adopted).where(
        JOURNAL.c.org_id == inventory.org_id, JOURNAL.c.key_id.in_(key_ids)
    )
    rows = tx.rows(query) if key_ids else []
    return {(row["object_id"], row["key_id"]): Origin.ADOPTED if row["adopted"] else Origin.OURS for row in rows}


def uses_of(tx: Tx, inventory: Inventory, key_ids: Sequence[str]) -> dict[str, datetime]:
    """Return when these credentials last signed in, those that are reported."""
    query = sa.select(inventory_uses.c.key_id, inventory_uses.c.last_used_at).where(
        inventory_uses.c.inventory_id == inventory.id, inventory_uses.c.key_id.in_(key_ids)
    )
    return {row["key_id"]: row["last_used_at"] for row in tx.rows(query)} if key_ids else {}


def uses_of_applications(tx: Tx, inventory: Inventory, app_ids: Sequence[str]) -> dict[str, ApplicationUse]:
    """Return when these applications last signed in and with what, by client id, those of which that is reported."""
    of = inventory_uses.c
    query = sa.select(of.app_id, of.key_id, of.key_kind, of.last_used_at).where(
        of.inventory_id == inventory.id, of.app_id.in_(app_ids)
    )
    found: dict[str, ApplicationUse] = {}
    for row in tx.rows(query.order_by(of.last_used_at)) if app_ids else ():
        kind = KeyKind(row["key_kind"]) if row["key_kind"] else None
        found[row["app_id"]] = ApplicationUse(row["last_used_at"], row["key_id"], kind)
    return found


@dataclass(frozen=True)
class RotatedApplication:
    """The rotation of an application."""

    id: str
    project_id: str | None


def rotations_of(tx: Tx, inventory: Inventory, app_ids: Sequence[str]) -> dict[str, RotatedApplication]:
    """Return the rotations of these applications, by client id."""
    app_id, of = sa.func.lower(rotations.c.app_id), rotations.c
    # Were the database asked for the organization, SQLite would go through all of its rotations: it takes them for few.
    query = sa.select(of.id, of.org_id, of.project_id, app_id.label("app")).where(
        of.cloud == inventory.cloud, of.retired.is_(False), app_id.in_(app_ids)
    )
    rows = tx.rows(query) if app_ids else []
    return {
        row["app"]: RotatedApplication(row["id"], row["project_id"])
        for row in rows
        if row["org_id"] == inventory.org_id
    }


def sign_ins(tx: Tx, inventory: Inventory, sight: Visibility, app_ids: Sequence[str]) -> dict[str, SignIn]:
    """Return as which of these applications connections of the organization sign in, by client id."""
    found = tenant_store.signing_in_to(tx, inventory.org_id, inventory.cloud, app_ids)
    return {app_id: SignIn(next(_in_sight(sight, connections), None)) for app_id, connections in found.items()}


def _in_sight(sight: Visibility, connections: Sequence[Connection]) -> Iterator[ShownConnection]:
    for each in connections:
        if sight.covers(Scope(each.org_id, each.project_id, connection_id=each.id)):
            yield ShownConnection(each.id, each.name, each.project_id)


@dataclass(frozen=True)
class ListedApplication:
    """An application of an inventory."""

    object_id: str
    app_id: str
    name: str


def application(tx: Tx, inventory: Inventory, object_id: str) -> ListedApplication | None:
    """Return the application; None for one that is not in the inventory, and for what is no application."""
    of = inventory_objects.c
    query = sa.select(of.object_id, of.app_id, of.name).where(
        of.inventory_id == inventory.id,
        of.object_id == object_id,
        of.kind == ObjectKind.APPLICATION.value,
        of.pending.is_(False),
    )
    row = tx.one(query)
    return ListedApplication(**row) if row else None


# --- what there is ----------------------------------------------------------------------------------------------------


def ending(tx: Tx, inventory: Inventory, since: datetime, until: datetime) -> Ending | None:
    """Return what ends between these moments of applications without a rotation; None when nothing does."""
    columns = (sa.func.count().label("n"), sa.func.min(_E.c.ends_at).label("first"))
    conditions = (
        _E.c.inventory_id == inventory.id,
        HAS_KEY,
        _E.c.order_at > since,
        _E.c.order_at <= until,
        _E.c.app_id.not_in(rotated_apps(inventory)),
    )
    row = tx.one(sa.select(*columns).where(*conditions))
    return Ending(int(row["n"]), row["first"]) if row and row["n"] and row["first"] else None
