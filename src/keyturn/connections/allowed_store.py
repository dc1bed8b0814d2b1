"""SQL of which applications may be rotated through a connection."""

from collections.abc import Collection

import sqlalchemy as sa

from keyturn.db.tables import app_connections, connection_applications
from keyturn.db.unit import Tx

_OF_ONE = sa.and_(
    connection_applications.c.connection_id == sa.bindparam("of_connection"),
    connection_applications.c.object_id == sa.bindparam("of_object"),
)


def of(tx: Tx, connection_id: str) -> list[str]:
    """Return the object ids of all that are listed, in their order."""
    query = sa.select(connection_applications.c.object_id).where(
        connection_applications.c.connection_id == connection_id
    )
    return [row["object_id"] for row in tx.rows(query.order_by(connection_applications.c.object_id))]


def among(tx: Tx, connection_id: str, object_ids: Collection[str]) -> frozenset[str]:
    """Return which of these object ids are listed."""
    query = sa.select(connection_applications.c.object_id).where(
        connection_applications.c.connection_id == connection_id, connection_applications.c.object_id.in_(object_ids)
    )
    return frozenset(row["object_id"] for row in tx.rows(query))


def count(tx: Tx, connection_id: str) -> int:
    query = sa.select(sa.func.count().label("n")).select_from(connection_applications)
    return int(tx.rows(query.where(connection_applications.c.connection_id == connection_id))[0]["n"])


def add(tx: Tx, connection_id: str, object_id: str) -> bool:
    """List an application; say whether it was not listed before."""
    return tx.add_new(connection_applications, connection_id=connection_id, object_id=object_id)


def remove(tx: Tx, connection_id: str, object_id: str) -> bool:
    """Take an application off the list; say whether it was listed."""
    return (
        tx.run(sa.delete(connection_applications).where(_OF_ONE), of_connection=connection_id, of_object=object_id) > 0
    )


def all_owned(tx: Tx, connection_id: str) -> bool:
    """Whether every application that the connection's principal owns may be rotated through it."""
    row = tx.one(sa.select(app_connections.c.rotates_owned).where(app_connections.c.id == connection_id))
    return bool(row and row["rotates_owned"])


def set_all_owned(tx: Tx, connection_id: str, *, on: bool) -> None:
    tx.run(sa.update(app_connections).where(app_connections.c.id == connection_id).values(rotates_owned=on))
