"""What a connection's look has to know of its rotation, whose room lies above."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import credentials, rotations
from keyturn.db.unit import Tx


def has_rotation(tx: Tx, connection_id: str) -> bool:
    """Whether the connection has a rotation of its own, switched on or not."""
    query = sa.select(rotations.c.id).where(rotations.c.connection_id == connection_id, rotations.c.retired.is_(False))
    return tx.one(query.limit(1)) is not None


_SHOWN = ("object_id", "key_id", "marker", "hint", "ends_at")
_CURRENT = (
    sa.select(credentials.c.rotation_id, *(credentials.c[name] for name in _SHOWN))
    .select_from(rotations.join(credentials, credentials.c.rotation_id == rotations.c.id))
    .where(
        rotations.c.connection_id == sa.bindparam("of_connection"),
        rotations.c.retired.is_(False),
        credentials.c.state == "current",
    )
)


def current_credential(tx: Tx, connection_id: str) -> Mapping[str, Any] | None:
    """Return what may be shown of the current credential and its rotation, where the connection rotates."""
    return tx.one(_CURRENT, of_connection=connection_id)
