"""SQL of what people browse: secrets without their values, a page at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.credentials import store as journal
from keyturn.db.tables import secret_folders, secret_versions, secrets
from keyturn.db.tables.views import projects
from keyturn.db.unit import Tx
from keyturn.db.words import has_word
from keyturn.kit.dataclasses import dataclass
from keyturn.secrets.domain import Folder, Place, StoredSecret
from keyturn.secrets.store.secrets import CURRENT, PLACED, SHARED, VERSION, chunks, read_placed, read_stored

_VALUES = ("value", "credential_value")
_SHOWN = [column for column in VERSION if column.name not in _VALUES] + [sa.null().label(name) for name in _VALUES]
_PLACED = (
    sa.select(secrets, *_SHOWN, secret_folders.c.path)
    .join(secret_versions, CURRENT)
    .join(secret_folders, secret_folders.c.id == secrets.c.folder_id)
    .where(SHARED)
)


@dataclass(frozen=True)
class NamedSecret:
    """A secret by where it is, for lists of many."""

    id: str
    path: str
    name: str
    version: int


@dataclass(frozen=True)
class NamesOfFolder:
    """How many secrets a folder has, and the first names of them."""

    total: int
    names: Sequence[tuple[str, str]]
    """Pairs of id and name."""


def ends(tx: Tx, rows: Sequence[StoredSecret]) -> dict[str, datetime]:
    """Return by id when those of these secrets end whose value is a credential of an application with an end."""
    ids = sorted({row.credential_id for row in rows if row.credential_id})
    entries = journal.ENTRIES
    queries = [
        sa.select(entries.c.id, entries.c.ends_at).where(entries.c.id.in_(part), entries.c.ends_at.is_not(None))
        for part in chunks(ids)
    ]
    ends_at = {row["id"]: row["ends_at"] for query in queries for row in tx.rows(query)}
    return {row.id: ends_at[row.credential_id] for row in rows if row.credential_id in ends_at}


def page_of_folder(tx: Tx, folder_id: str, limit: int, offset: int) -> tuple[list[tuple[str, StoredSecret]], int]:
    """Return some of the secrets of a folder by name, each with its path and without its value; and how many there are."""
    where = secrets.c.folder_id == folder_id
    return _page(tx, where, [secrets.c.name], limit, offset)


def search(
    tx: Tx, environment_id: str, words: Sequence[str], folder_ids: Iterable[str] | None, limit: int, offset: int
) -> tuple[list[tuple[str, StoredSecret]], int]:
    """Return some of the secrets of an environment with all of the words in their names, as :func:`page_of_folder` does.

    ``folder_ids`` are the folders to look into, None: all.
    """
    where = sa.and_(
        secret_folders.c.environment_id == environment_id,
        _among(folder_ids),
        *(has_word(secrets.c.name, word) for word in words),
    )
    return _page(tx, where, [secrets.c.name, secret_folders.c.path], limit, offset)


def _page(
    tx: Tx, where: sa.ColumnElement[bool], order: Sequence[sa.ColumnElement[Any]], limit: int, offset: int
) -> tuple[list[tuple[str, StoredSecret]], int]:
    # Those before the page are passed over by their ids alone: their versions are not looked at.
    within = secrets.join(secret_folders, secret_folders.c.id == secrets.c.folder_id)
    count = tx.one(sa.select(sa.func.count().label("n")).select_from(within).where(SHARED, where))
    page = sa.select(secrets.c.id).select_from(within).where(SHARED, where).order_by(*order)
    ids = [row["id"] for row in tx.rows(page.limit(limit).offset(offset))]
    rows = {row["id"]: row for row in tx.rows(_PLACED.where(secrets.c.id.in_(ids)))} if ids else {}
    shown = [rows[secret_id] for secret_id in ids if secret_id in rows]
    return [(row["path"], read_stored(row)) for row in shown], int(count["n"]) if count else 0


def with_values(tx: Tx, org_id: str, secret_ids: Sequence[str]) -> list[tuple[StoredSecret, Place]]:
    """Return everybody's secrets with these ids that are there, with their current versions and where they are."""
    query = PLACED.where(SHARED, projects.c.org_id == org_id)
    return [read_placed(row) for ids in chunks(secret_ids) for row in tx.rows(query.where(secrets.c.id.in_(ids)))]


def names(tx: Tx, folder_ids: Sequence[str], most: int) -> list[NamedSecret]:
    """Return everybody's secrets of these folders, at most so many."""
    found: list[NamedSecret] = []
    query = (
        sa.select(secrets.c.id, secrets.c.name, secrets.c.version, secret_folders.c.path)
        .join(secret_folders, secret_folders.c.id == secrets.c.folder_id)
        .where(SHARED)
    )
    for ids in chunks(folder_ids):
        rows = tx.rows(query.where(secrets.c.folder_id.in_(ids)).limit(most - len(found)))
        found += [NamedSecret(row["id"], row["path"], row["name"], row["version"]) for row in rows]
    return found


def values_of(tx: Tx, secret_ids: Sequence[str]) -> Iterator[StoredSecret]:
    """Yield everybody's secrets with these ids, with their current versions."""
    query = sa.select(secrets, *VERSION).join(secret_versions, CURRENT).where(SHARED)
    for row in tx.rows(query.where(secrets.c.id.in_(secret_ids))):
        yield read_stored(row)


def first_names(tx: Tx, places: Sequence[tuple[str, str]], most: int) -> Mapping[tuple[str, str], NamesOfFolder]:
    """Return what the folders at these places hold, each given by the id of its environment and its path."""
    if not places:
        return {}
    numbered = (
        sa.select(
            secret_folders.c.environment_id,
            secret_folders.c.path,
            secrets.c.id,
            secrets.c.name,
            sa.func.row_number().over(partition_by=secrets.c.folder_id, order_by=secrets.c.name).label("number"),
            sa.func.count().over(partition_by=secrets.c.folder_id).label("total"),
        )
        .join(secret_folders, secret_folders.c.id == secrets.c.folder_id)
        .where(SHARED, sa.tuple_(secret_folders.c.environment_id, secret_folders.c.path).in_(places))
        .subquery()
    )
    found: dict[tuple[str, str], NamesOfFolder] = {}
    for row in tx.rows(sa.select(numbered).where(numbered.c.number <= most).order_by(numbered.c.number)):
        key = (row["environment_id"], row["path"])
        before = found.get(key)
        found[key] = NamesOfFolder(row["total"], [*(before.names if before else ()), (row["id"], row["name"])])
    return found


def some_children(tx: Tx, parent_id: str) -> list[Folder]:
    """Return the folders right in it, by name."""
    query = sa.select(secret_folders).where(secret_folders.c.parent_id == parent_id)
    return [Folder(**row) for row in tx.rows(query.order_by(secret_folders.c.name))]


def folders_with(
    tx: Tx, environment_id: str, words: Sequence[str], folder_ids: Iterable[str] | None, limit: int
) -> list[Folder]:
    """Return the first folders of an environment, by path, with all of the words in their paths; never the root.

    ``folder_ids`` are those to choose from, None: all.
    """
    query = sa.select(secret_folders).where(
        secret_folders.c.environment_id == environment_id,
        secret_folders.c.parent_id.is_not(None),
        _among(folder_ids),
        *(has_word(secret_folders.c.path, word) for word in words),
    )
    return [Folder(**row) for row in tx.rows(query.order_by(secret_folders.c.path).limit(limit))]


def _among(folder_ids: Iterable[str] | None) -> sa.ColumnElement[bool]:
    return sa.true() if folder_ids is None else secret_folders.c.id.in_(list(folder_ids))
