"""SQL of which connections rotate: what their room may know of rotations, whose room lies above."""

from collections.abc import Sequence

import sqlalchemy as sa

from keyturn.db.tables.views import OF_OWN_CREDENTIAL, rotations
from keyturn.db.unit import Tx

_AT_ONCE = 10_000


def has_rotation(tx: Tx, connection_id: str) -> bool:
    """Whether the connection has a rotation of its own, switched on or not."""
    query = sa.select(rotations.c.id).where(rotations.c.connection_id == connection_id, OF_OWN_CREDENTIAL)
    return tx.one(query.limit(1)) is not None


def rotates(tx: Tx, connection_id: str) -> bool:
    """Whether the connection's own credential is replaced by itself in time."""
    query = sa.select(rotations.c.id).where(
        rotations.c.connection_id == connection_id, rotations.c.enabled.is_(True), OF_OWN_CREDENTIAL
    )
    return tx.one(query.limit(1)) is not None


def rotating_among(tx: Tx, connection_ids: Sequence[str]) -> list[str]:
    """Return which of these connections have a rotation of their own credential, enabled or not."""
    query = sa.select(rotations.c.connection_id).where(OF_OWN_CREDENTIAL).order_by(rotations.c.created_at)
    starts = range(0, len(connection_ids), _AT_ONCE)
    queries = [query.where(rotations.c.connection_id.in_(connection_ids[at : at + _AT_ONCE])) for at in starts]
    return [str(row["connection_id"]) for some in queries for row in tx.rows(some)]


def next_run(connection_id: sa.ColumnElement[str]) -> sa.ScalarSelect[object]:
    """Return as a column when the connection of this id rotates next, NULL for one that does not."""
    return (
        sa.select(sa.func.coalesce(rotations.c.paused_until, rotations.c.next_run_at))
        .where(rotations.c.connection_id == connection_id, OF_OWN_CREDENTIAL, rotations.c.enabled.is_(True))
        .limit(1)
        .scalar_subquery()
    )
