"""SQL of lists of many secrets: first which there are, a row at a time and without values, then the values of some of them."""

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from keyturn.db.tables import secret_versions, secrets
from keyturn.db.unit import Tx
from keyturn.secrets.domain import Maker, StoredSecret
from keyturn.secrets.store.secrets import CURRENT, MAPPED_BY, THERE, VERSION, chunks


class Head(NamedTuple):
    """What is known of a secret without its value."""

    name: str
    owner_id: str | None
    version_id: str
    secret_id: str
    folder_id: str
    size: int
    """Bytes of what is sealed in its version."""
    has_references: bool
    secret_rotation_id: str | None
    credential_id: str | None


def heads(tx: Tx, folder_ids: Sequence[str], owner_id: str | None) -> Iterator[Head]:
    """Yield everybody's secrets of these folders, and those of the owner if one is given, by name.

    They come from the database as they are taken, inside this transaction.
    """
    statement = _heads(tx.postgres, owner_id is not None)
    values = {} if owner_id is None else {"owner": owner_id}
    parts = [tx.stream(statement, folders=ids, **values) for ids in chunks(folder_ids)]
    rows = parts[0] if len(parts) == 1 else heapq.merge(*parts, key=lambda row: (row[0], row[1] or ""))
    return map(Head._make, rows)


def of_versions(tx: Tx, version_ids: Sequence[str]) -> Mapping[str, StoredSecret]:
    """Return the versions with these ids, each with its secret, as far as they are still kept."""
    ids = list(version_ids) if tx.postgres else json.dumps(list(version_ids))
    rows = tx.tuples(_of_versions(tx.postgres), versions=ids)
    return {row[5]: _stored(*row) for row in rows}


def _stored(*row: Any) -> StoredSecret:
    fields = (*row[:9], Maker(*row[9:12]), *row[12:])
    return StoredSecret(*fields)


@lru_cache(maxsize=4)
def _of_versions(postgres: bool) -> sa.Select[tuple[object, ...]]:
    # One parameter for all ids: to write a statement with hundreds of them takes longer than to carry it out.
    if postgres:
        wanted = secret_versions.c.id == sa.any_(sa.bindparam("versions", type_=sa.ARRAY(sa.String)))
    else:
        each = sa.func.json_each(sa.bindparam("versions", type_=sa.Text)).table_valued("value")
        wanted = secret_versions.c.id.in_(sa.select(each.c.value))
    columns = {column.key: column for column in (*secrets.columns, *VERSION)}
    in_order = [columns[name] for name in _ORDER]
    return sa.select(*in_order).join(secrets, secrets.c.id == secret_versions.c.secret_id).where(wanted)


_ORDER = (
    *("id", "folder_id", "name", "owner_id", "number", "version_id", "value", "details", "skip_multiline_encoding"),
    *("made_by_kind", "made_by_id", "made_by_name"),
    *("created_at", "updated_at", "has_references", "credential_id", "credential_value", "secret_rotation_id"),
)
"""Columns in the order of the fields of a ``StoredSecret``, its maker taken apart."""


def size_of(postgres: bool) -> sa.ColumnElement[int]:
    """Return the bytes of what is sealed in a version: of texts that have no others than one-byte characters."""
    length = sa.func.octet_length if postgres else sa.func.length
    sealed = (secret_versions.c.value, secret_versions.c.details)
    value, details = (sa.func.coalesce(length(sa.type_coerce(column, sa.Text)), 0) for column in sealed)
    return value + details


@lru_cache(maxsize=4)
def _heads(postgres: bool, owned: bool) -> sa.Select[tuple[object, ...]]:
    # Texts are in the order of their code points on both, whatever the database's own order is.
    name = sa.collate(secrets.c.name, "C") if postgres else secrets.c.name
    shared = secrets.c.owner_id.is_(None)
    return (
        sa.select(
            secrets.c.name,
            secrets.c.owner_id,
            secret_versions.c.id,
            secrets.c.id,
            secrets.c.folder_id,
            size_of(postgres),
            secret_versions.c.has_references,
            MAPPED_BY,
            secret_versions.c.credential_id,
        )
        .join(secret_versions, CURRENT)
        .where(
            secrets.c.folder_id.in_(sa.bindparam("folders", expanding=True)),
            THERE,
            sa.or_(shared, secrets.c.owner_id == sa.bindparam("owner")) if owned else shared,
        )
        .order_by(name, sa.func.coalesce(secrets.c.owner_id, ""))
    )
