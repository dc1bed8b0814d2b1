"""What connections have to know of rotations, whose room lies above."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import credentials, rotations
from keyturn.db.unit import Tx

OWN = sa.and_(rotations.c.kind == "connection", rotations.c.retired.is_(False))
"""Of the rotations that name a connection: that of its own credential. It may sign in for the rotation of another application."""


def has_rotation(tx: Tx, connection_id: str) -> bool:
    """Whether the connection has a rotation of its own, switched on or not."""
    query = sa.select(rotations.c.id).where(rotations.c.connection_id == connection_id, OWN)
    return tx.one(query.limit(1)) is not None


_SHOWN = ("object_id", "key_id", "marker", "hint", "ends_at")
_CURRENT = (
    sa.select(credentials.c.rotation_id, *(credentials.c[name] for name in _SHOWN))
    .select_from(rotations.join(credentials, credentials.c.rotation_id == rotations.c.id))
    .where(
        rotations.c.connection_id == sa.bindparam("of_connection"),
        OWN,
        credentials.c.state == "current",
    )
)


def current_credential(tx: Tx, connection_id: str) -> Mapping[str, Any] | None:
    """Return what may be shown of the current credential and its rotation, where the connection rotates."""
    return tx.one(_CURRENT, of_connection=connection_id)


_CURRENT_ROW = (
    sa.select(credentials.c.id)
    .select_from(credentials.join(rotations, rotations.c.id == credentials.c.rotation_id))
    .where(
        credentials.c.fingerprint == sa.bindparam("of_fingerprint"),
        credentials.c.state == "current",
        credentials.c.value.is_not(None),
        rotations.c.retired.is_(False),
    )
    .limit(1)
)


def current_row(tx: Tx, fingerprint: str) -> str | None:
    """Return the row of the journal in which a rotation that has not ended keeps this credential as its current one."""
    row = tx.one(_CURRENT_ROW, of_fingerprint=fingerprint)
    return str(row["id"]) if row else None
