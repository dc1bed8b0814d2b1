"""Changing keys while servers run: wrap the data keys anew, make a new data key, seal every stored value again with it.

Each step can be cut short and repeated. Values change by compare-and-swap, so a value that a server writes meanwhile wins.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.crypto import store
from keyturn.crypto.envelope import FORMAT, digest_key_id_of, key_id_of
from keyturn.crypto.keyring import REFRESH, Keyring, KeyringSealer, wrong_root
from keyturn.crypto.root import RootKeySource, refuse_guessable
from keyturn.crypto.store import WrappedKey
from keyturn.db.tables import metadata
from keyturn.db.types import DigestText, SealedText
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import SealContext, Sealed
from keyturn.ports.clock import Clock

BATCH = 100
CONTINUE_WITHIN = timedelta(hours=1)
"""A change cut short is continued with its own new data key for so long; later a repeat makes another."""
_SERVER_SEEN = timedelta(minutes=1)


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed values. A row's place is its table, its id, the column and its version.

    The version is 1, unless the table has a column ``<column>_version``. Where the rows name the place that their value is sealed
    for, ``place_of`` has the columns that do.
    """

    table: sa.Table
    value: sa.Column[Any]
    row: sa.Column[Any]
    version: sa.Column[Any] | None
    place_of: tuple[sa.Column[Any], ...] = ()

    def place(self, row: Mapping[str, Any]) -> SealContext:
        if self.place_of:
            return SealContext(*(row[column.name] for column in self.place_of))
        version = 1 if self.version is None else int(row["version"])
        return SealContext(self.table.name, str(row["row"]), self.value.name, version)

    def not_under(self, key_id: str) -> sa.ColumnElement[bool]:
        text = sa.type_coerce(self.value, sa.Text)
        return sa.and_(self.value.is_not(None), text.not_like(f"{FORMAT}.{key_id}.%"))


@dataclass
class Summary:
    """What a change of keys did. ``refused`` are the places whose values do not open and were left as they are."""

    data_key: str
    wrapped: int = 0
    sealed: int = 0
    refused: list[SealContext] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    remaining: int = 0
    digests: Counter[str] = field(default_factory=Counter)
    """Digests under older keys, by their table. They cannot be made anew without their values, so their keys stay in use."""
    previous_root_needed: bool = False


def sealed_columns(tables: sa.MetaData = metadata) -> list[SealedColumn]:
    """Find all columns of sealed values. Raises ValueError for a table whose row has no single id."""
    return [
        _column(table, column)
        for table in tables.sorted_tables
        for column in table.columns
        if isinstance(column.type, SealedText)
    ]


def _column(table: sa.Table, column: sa.Column[Any]) -> SealedColumn:
    keys = list(table.primary_key.columns)
    if len(keys) != 1:
        raise ValueError(f"{table.name} holds sealed values but has no single id to bind them to")
    place_of = tuple(table.columns[name] for name in _PLACE_OF if name in table.columns)
    return SealedColumn(table, column, keys[0], table.columns.get(f"{column.name}_version"), place_of)


_PLACE_OF = ("of_table", "of_row", "of_column", "of_version")


def rotate(
    database: Database,
    source: RootKeySource,
    clock: Clock,
    *,
    progress: Callable[[str], None],
    pause: Callable[[float], None],
    tables: sa.MetaData = metadata,
) -> Summary:
    """Change the keys of a database that servers may be using. Repeatable; continues what was cut short.

    ``pause(seconds)`` waits, so that running servers take up the new key before the last values are sealed again.
    Raises Misconfigured when a data key in use is wrapped with a root key that was not given.
    """
    wrapped = rewrap(database, source)
    progress(f"{wrapped} data keys wrapped with root key {source.load().current.id}.")
    ring = Keyring.open(database, source, clock)
    summary = Summary(_new_key(database, source, ring, clock), wrapped)
    progress(f"Sealing values with data key {summary.data_key}.")
    columns = sealed_columns(tables)
    _seal_all(database, ring, columns, summary, progress)
    if servers_run(database, clock):
        progress(f"Waiting {REFRESH.total_seconds():.0f} s: running servers take up the new data key.")
        pause(REFRESH.total_seconds())
        _seal_all(database, ring, columns, summary, progress)
    _retire(database, clock, columns, summary, tables)
    summary.previous_root_needed = any(row.root_key_id != source.load().current.id for row in _rows(database))
    return summary


def rewrap(database: Database, source: RootKeySource) -> int:
    """Wrap all data keys with the current root key; return how many changed. Repeatable.

    Retired keys that no given root key opens stay as they are. Raises Misconfigured for others.
    """
    roots = source.load()
    count = 0
    for row in _rows(database):
        if row.root_key_id == roots.current.id:
            continue
        refuse_guessable(roots.current, source.name)
        root = roots.find(row.root_key_id)
        key = root.unwrap(row.id, row.wrapped) if root else None
        if key is None:
            if row.retired_at is None:
                raise wrong_root(row, roots, source.name)
            continue
        with database.write() as tx:
            count += store.rewrap(tx, row, roots.current.id, roots.current.wrap(row.id, key))
    return count


def digests(database: Database, tables: sa.MetaData = metadata) -> Counter[tuple[str, str]]:
    """Count the keyed digests by table and the id of their data key."""
    columns = [
        column for table in tables.sorted_tables for column in table.columns if isinstance(column.type, DigestText)
    ]
    counts: Counter[tuple[str, str]] = Counter()
    with database.read() as tx:
        for column in columns:
            rows = tx.rows(sa.select(column.label("kept")).where(column.is_not(None)))
            key_ids = filter(None, (digest_key_id_of(row["kept"]) for row in rows))
            counts.update((column.table.name, key_id) for key_id in key_ids)
    return counts


def usage(database: Database, tables: sa.MetaData = metadata) -> Counter[str]:
    """Count the stored values and digests by the id of their data key."""
    counts = _by_key(digests(database, tables))
    for column in sealed_columns(tables):
        for batch in _batches(database, column, ""):
            counts.update(key_id_of(row["value"]) for row in batch)
    return counts


def _by_key(digest_counts: Counter[tuple[str, str]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for (_, key_id), count in digest_counts.items():
        counts[key_id] += count
    return counts


def _new_key(database: Database, source: RootKeySource, ring: Keyring, clock: Clock) -> str:
    live = [row for row in _rows(database) if row.retired_at is None]
    if len(live) > 1 and clock.now() - live[-1].created_at < CONTINUE_WITHIN:
        return live[-1].id
    return ring.add_key(source.load().current)


def _seal_all(
    database: Database, ring: Keyring, columns: list[SealedColumn], summary: Summary, progress: Callable[[str], None]
) -> None:
    summary.refused.clear()
    for column in columns:
        before = summary.sealed
        for batch in _batches(database, column, summary.data_key):
            _seal_batch(database, ring, column, batch, summary)
        progress(f"{column.table.name}.{column.value.name}: {counted(summary.sealed - before, 'value')} sealed again.")


def _seal_batch(
    database: Database, ring: Keyring, column: SealedColumn, batch: list[Mapping[str, Any]], summary: Summary
) -> None:
    sealer, key = KeyringSealer(ring), ring.key(summary.data_key)
    fresh: list[tuple[Mapping[str, Any], Sealed]] = []
    for row in batch:
        place = column.place(row)
        try:
            fresh.append((row, key.seal(sealer.open(row["value"], place), place)))
        except Misconfigured:
            summary.refused.append(place)
    with database.write() as tx:
        for row, sealed in fresh:
            same = [column.row == row["row"], column.value == row["value"]]
            if column.version is not None:
                same.append(column.version == row["version"])
            summary.sealed += tx.run(sa.update(column.table).where(*same).values({column.value.name: sealed}))


def _batches(database: Database, column: SealedColumn, key_id: str) -> Iterator[list[Mapping[str, Any]]]:
    picked = [column.row.label("row"), column.value.label("value"), *column.place_of]
    if column.version is not None:
        picked.append(column.version.label("version"))
    query = sa.select(*picked).where(column.not_under(key_id)).order_by(column.row).limit(BATCH)
    last: Any = None
    while True:
        with database.read() as tx:
            batch = tx.rows(query if last is None else query.where(column.row > last))
        if not batch:
            return
        yield batch
        last = batch[-1]["row"]


def _retire(
    database: Database, clock: Clock, columns: list[SealedColumn], summary: Summary, tables: sa.MetaData
) -> None:
    uses: Counter[str] = Counter()
    for column in columns:
        for batch in _batches(database, column, summary.data_key):
            uses.update(key_id_of(row["value"]) for row in batch)
    summary.remaining = uses.total()
    digest_counts = digests(database, tables)
    for (table, key_id), count in digest_counts.items():
        if key_id != summary.data_key:
            summary.digests[table] += count
    uses.update(_by_key(digest_counts))
    for row in _rows(database):
        if row.retired_at is None and row.id != summary.data_key and not uses[row.id]:
            with database.write() as tx:
                store.retire(tx, row.id, clock.now())
            summary.retired.append(row.id)


def _rows(database: Database) -> list[WrappedKey]:
    with database.read() as tx:
        return store.load(tx)


def servers_run(database: Database, clock: Clock) -> bool:
    """Say whether any server gave a sign of life within the last minute."""
    with database.read() as tx:
        return store.server_seen(tx, clock.now() - _SERVER_SEEN)
