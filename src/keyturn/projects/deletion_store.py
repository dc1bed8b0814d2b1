"""What was deleted and can be restored for a while: it is kept beside the tables, which have it no longer.

So nothing that reads the tables can come upon it, and its name is free. Kept are the rows that a deletion takes along by its
references, whatever their table; what opens only in its place stays sealed for that place.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import deleted_rows, deleted_values, deletions, metadata
from keyturn.db.types import Moment, SealedText
from keyturn.db.unit import Tx
from keyturn.kit.actor import Actor
from keyturn.kit.batches import batches
from keyturn.ports.clock import Ids
from keyturn.projects.deletions import Deletion, PlaceKind

_AT_ONCE = 200
"""Rows that are in memory at a time."""

Row = dict[str, Any]


_TABLES = {PlaceKind.PROJECT: "projects", PlaceKind.ENVIRONMENT: "environments", PlaceKind.FOLDER: "secret_folders"}


def keep(
    tx: Tx,
    ids: Ids,
    actor: Actor,
    now: datetime,
    kind: PlaceKind,
    subject_id: str,
    project_id: str,
    name: str,
    *,
    environment_id: str | None = None,
    environment: str | None = None,
    path: str | None = None,
) -> Deletion:
    """Keep what is about to be deleted, with all that goes with it, in the transaction that deletes it."""
    deletion = Deletion(
        ids.new(),
        actor.org_id,
        kind,
        subject_id,
        project_id,
        environment_id,
        name,
        environment,
        path,
        actor.kind.value,
        actor.id,
        actor.name,
        now,
    )
    tx.run(sa.insert(deletions), **vars(deletion) | {"kind": kind.value})
    for number, (table, rows) in enumerate(_going(tx, metadata.tables[_TABLES[kind]], subject_id)):
        sealed = {column.name for column in table.columns if isinstance(column.type, SealedText)}
        data = [{name: _written(value) for name, value in row.items() if name not in sealed} for row in rows]
        tx.run(
            sa.insert(deleted_rows),
            id=ids.new(),
            deletion_id=deletion.id,
            number=number,
            of_table=table.name,
            data=data,
        )
        values = [
            {
                "id": ids.new(),
                "deletion_id": deletion.id,
                "of_table": table.name,
                "of_row": row[next(iter(table.primary_key.columns)).name],
                "of_column": column,
                "of_version": row.get(f"{column}_version", 1),
                "value": row[column],
            }
            for column in sorted(sealed)
            for row in rows
            if row[column] is not None
        ]
        tx.run_all(sa.insert(deleted_values), values)
    return deletion


def _going(tx: Tx, root: sa.Table, row_id: str) -> Iterator[tuple[sa.Table, list[Row]]]:
    """Yield the row and all rows that the database deletes with it, some of one table at a time, in the order of references."""
    referred = {there.table.name for table in metadata.sorted_tables for _, there in _cascades(table)}
    gone: dict[str, list[str]] = {}
    for table in metadata.sorted_tables:
        wanted = [(own, gone[there.table.name]) for own, there in _cascades(table) if there.table.name in gone]
        rows = _rows(tx, table, [(root.c.id, [row_id])] if table is root else wanted)
        while part := list(islice(rows, _AT_ONCE)):
            if table.name in referred:
                gone.setdefault(table.name, []).extend(row["id"] for row in part)
            yield table, part


def _rows(tx: Tx, table: sa.Table, wanted: Sequence[tuple[sa.Column[Any], Sequence[str]]]) -> Iterator[Row]:
    """Yield the rows that have one of the values in one of the columns, and those that go with these, each once."""
    of_itself = [own for own, there in _cascades(table) if there.table is table]
    parts = [(column, part) for column, values in wanted for part in batches(values, _AT_ONCE)]
    keys = [key.name for key in table.primary_key.columns]
    seen: set[tuple[Any, ...]] = set()
    inner: list[Row] = []
    while parts:
        column, part = parts.pop(0)
        found = []
        for each in tx.stream(sa.select(table).where(column.in_(part))):
            row = dict(each._mapping)  # noqa: SLF001 - SQLAlchemy's documented way to the columns by name
            key = tuple(row[name] for name in keys)
            if key in seen:
                continue
            if of_itself or len(wanted) > 1:
                seen.add(key)
            if of_itself:
                found.append(row)
            else:
                yield row
        inner += found
        ids = [row["id"] for row in found]
        parts += [(own, some) for own in of_itself for some in batches(ids, _AT_ONCE)]
    # Folders: one that is in another is put back after it.
    yield from sorted(inner, key=lambda row: str(row["path"]))


def _cascades(table: sa.Table) -> list[tuple[sa.Column[Any], sa.Column[Any]]]:
    """Return the columns of the table whose row goes with what they refer to, each with the column that it refers to."""
    return [(key.parent, key.column) for key in table.foreign_keys if key.ondelete == "CASCADE"]


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


# --- restoring --------------------------------------------------------------------------------------------------------


def put_back(tx: Tx, deletion: Deletion, adapt: Callable[[str, Row], Row]) -> None:
    """Write the rows that were kept, each as ``adapt`` returns it for its table, and end the deletion.

    A row that refers to what is no longer there, as the membership of somebody who left, is left out.
    """
    query = sa.select(deleted_rows.c.of_table, deleted_rows.c.data).where(deleted_rows.c.deletion_id == deletion.id)
    numbers = tx.tuples(sa.select(deleted_rows.c.number).where(deleted_rows.c.deletion_id == deletion.id))
    for (number,) in sorted(numbers):
        page = tx.one(query.where(deleted_rows.c.number == number))
        if page is None:
            continue
        table = metadata.tables[page["of_table"]]
        rows = [adapt(table.name, _read(table, row)) for row in page["data"]]
        _add_values(tx, deletion.id, table, rows)
        tx.run_all(sa.insert(table), list(_referring(tx, table, rows)))
    end(tx, deletion.id)


def _read(table: sa.Table, row: Mapping[str, Any]) -> Row:
    """Return a row as its table takes it: without columns that there are no longer."""
    return {
        name: datetime.fromisoformat(value) if value is not None and isinstance(table.c[name].type, Moment) else value
        for name, value in row.items()
        if name in table.c
    }


def _add_values(tx: Tx, deletion_id: str, table: sa.Table, rows: Sequence[Row]) -> None:
    """Give the rows their sealed values again."""
    sealed = [column.name for column in table.columns if isinstance(column.type, SealedText)]
    if not sealed:
        return
    by_id = {row[next(iter(table.primary_key.columns)).name]: row for row in rows}
    for row in rows:
        row.update(dict.fromkeys(sealed))
    query = sa.select(deleted_values).where(
        deleted_values.c.deletion_id == deletion_id,
        deleted_values.c.of_table == table.name,
        deleted_values.c.of_row.in_(list(by_id)),
    )
    for kept in tx.rows(query):
        by_id[kept["of_row"]][kept["of_column"]] = kept["value"]


def _referring(tx: Tx, table: sa.Table, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the rows whose references lead somewhere. What refers to its own table comes after what it refers to."""
    there: dict[str, set[Any]] = {}
    for key in table.foreign_keys:
        if key.column.table is not table:
            ids = {row[key.parent.name] for row in rows} - {None}
            query = sa.select(key.column).where(key.column.in_(sorted(ids)))
            there[key.parent.name] = {found for (found,) in tx.tuples(query)} | {None}
    yield from (row for row in rows if all(row[name] in known for name, known in there.items()))


# --- those that there are ---------------------------------------------------------------------------------------------


def get(tx: Tx, org_id: str, deletion_id: str) -> Deletion | None:
    row = tx.one(sa.select(deletions).where(deletions.c.id == deletion_id, deletions.c.org_id == org_id))
    return _deletion(row) if row else None


def newest_of(tx: Tx, subject_id: str) -> Deletion:
    """Return the deletion of what has just been deleted in this transaction."""
    query = sa.select(deletions).where(deletions.c.subject_id == subject_id).order_by(deletions.c.deleted_at.desc())
    row = tx.one(query.limit(1))
    if row is None:
        raise LookupError(subject_id)
    return _deletion(row)


def of_organization(tx: Tx, org_id: str, since: datetime) -> list[Deletion]:
    """Return the deletions of projects after the moment, the newest first."""
    return _some(tx, deletions.c.org_id == org_id, deletions.c.kind == PlaceKind.PROJECT.value, since=since)


def of_project(tx: Tx, project_id: str, since: datetime) -> list[Deletion]:
    """Return the deletions of environments and folders of the project after the moment, the newest first."""
    return _some(tx, deletions.c.project_id == project_id, deletions.c.kind != PlaceKind.PROJECT.value, since=since)


def _some(tx: Tx, *where: sa.ColumnElement[bool], since: datetime) -> list[Deletion]:
    query = sa.select(deletions).where(*where, deletions.c.deleted_at > since)
    return [_deletion(row) for row in tx.rows(query.order_by(deletions.c.deleted_at.desc(), deletions.c.id))]


def end(tx: Tx, deletion_id: str) -> None:
    """Forget the deletion with all that was kept. Repeatable."""
    tx.run(sa.delete(deletions).where(deletions.c.id == deletion_id))


def remove_parts(tx: Tx, before: datetime, most: int) -> bool:
    """Delete for good a part of what was deleted before the moment; return whether there may be more."""
    due = sa.select(deletions.c.id).where(deletions.c.deleted_at <= before)
    for table in (deleted_values, deleted_rows):
        oldest = sa.select(table.c.id).where(table.c.deletion_id.in_(due)).limit(most)
        if tx.run(sa.delete(table).where(table.c.id.in_(oldest))):
            return True
    tx.run(sa.delete(deletions).where(deletions.c.deleted_at <= before))
    return False


def _deletion(row: Mapping[str, Any]) -> Deletion:
    return Deletion(**{**row, "kind": PlaceKind(row["kind"])})
