"""SQL of secrets whose values come from a secret rotation. A row reserves its name from before the secret is there."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import mapped_secrets
from keyturn.db.tables.views import secret_rotations
from keyturn.db.unit import Tx
from keyturn.secrets.mapped import MappedSecret
from keyturn.secrets.store.secrets import chunks

_QUERY = sa.select(
    mapped_secrets, secret_rotations.c.name.label("rotation_name"), secret_rotations.c.connection_id
).join(secret_rotations, secret_rotations.c.id == mapped_secrets.c.secret_rotation_id)
_SAVE = sa.update(mapped_secrets).where(
    mapped_secrets.c.secret_rotation_id == sa.bindparam("of_rotation"), mapped_secrets.c.which == sa.bindparam("part")
)


def add(tx: Tx, secret_rotation_id: str, which: str, folder_id: str, name: str) -> None:
    """Reserve a name for a secret that is not there yet."""
    tx.run(
        sa.insert(mapped_secrets),
        secret_rotation_id=secret_rotation_id,
        which=which,
        folder_id=folder_id,
        name=name,
        secret_id=None,
    )


def save(tx: Tx, mapped: MappedSecret) -> None:
    """Write what may change of it."""
    tx.run(
        _SAVE, of_rotation=mapped.secret_rotation_id, part=mapped.which, name=mapped.name, secret_id=mapped.secret_id
    )


def of_secret_rotation(tx: Tx, secret_rotation_id: str) -> list[MappedSecret]:
    """Return its mapped secrets, in the order in which they are published: the client id first."""
    query = _QUERY.where(mapped_secrets.c.secret_rotation_id == secret_rotation_id).order_by(mapped_secrets.c.which)
    return [_read(row) for row in tx.rows(query)]


_NAMED = _QUERY.where(
    mapped_secrets.c.folder_id == sa.bindparam("folder"), mapped_secrets.c.name == sa.bindparam("called")
)


def mapped_of_name(tx: Tx, folder_id: str, name: str) -> MappedSecret | None:
    """Return the mapped secret of this name in the folder."""
    row = tx.one(_NAMED, folder=folder_id, called=name)
    return _read(row) if row else None


def in_folders(tx: Tx, folder_ids: Sequence[str]) -> list[MappedSecret]:
    """Return the mapped secrets of these folders."""
    queries = (_QUERY.where(mapped_secrets.c.folder_id.in_(part)) for part in chunks(folder_ids))
    return [_read(row) for query in queries for row in tx.rows(query.order_by(mapped_secrets.c.name))]


def remove(tx: Tx, secret_rotation_id: str) -> None:
    """Give the names back. What was published stays, as secrets like any other."""
    tx.run(sa.delete(mapped_secrets).where(mapped_secrets.c.secret_rotation_id == secret_rotation_id))


def _read(row: Mapping[str, Any]) -> MappedSecret:
    return MappedSecret(
        row["secret_rotation_id"],
        row["which"],
        row["folder_id"],
        row["name"],
        row["secret_id"],
        row["rotation_name"],
        row["connection_id"],
    )
