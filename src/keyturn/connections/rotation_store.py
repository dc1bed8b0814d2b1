"""SQL of what connections are used for: what their room may know of rotations and inventories, whose rooms lie above."""

from collections.abc import Sequence

import sqlalchemy as sa

from keyturn.credentials.store import ENTRIES
from keyturn.db.tables.views import OF_OWN_CREDENTIAL, inventory_connections, rotations
from keyturn.db.unit import Tx
from keyturn.db.words import has_word

_AT_ONCE = 10_000


def has_rotation(tx: Tx, connection_id: str) -> bool:
    """Whether the connection has a rotation of its own, switched on or not."""
    query = sa.select(rotations.c.id).where(rotations.c.connection_id == connection_id, OF_OWN_CREDENTIAL)
    return tx.one(query.limit(1)) is not None


_READS = sa.select(inventory_connections.c.connection_id).where(
    inventory_connections.c.connection_id == sa.bindparam("of_connection")
)
_READS_LOCKED = _READS.with_for_update()


def reads_tenant(tx: Tx, connection_id: str) -> bool:
    """Whether the inventory of its tenant is read through the connection: then it is for reading, too."""
    return tx.one(_READS, of_connection=connection_id) is not None


def lock_reading(tx: Tx, connection_id: str) -> None:
    """Wait until what is being read through the connection is kept, and let nobody keep more: it is about to be deleted."""
    tx.one(_READS_LOCKED, of_connection=connection_id)


def is_rotated_through(tx: Tx, connection_id: str) -> bool:
    """Whether anything is rotated through the connection: its own credential, or an application's secret."""
    query = sa.select(rotations.c.id).where(rotations.c.connection_id == connection_id, rotations.c.retired.is_(False))
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


def next_runs() -> sa.Subquery:
    """Return as a subquery when connections rotate next, as ``moment`` by ``connection_id``: those that do.

    It is joined, not asked for each connection: where one connection signs in for thousands of rotations, databases take the
    index of connections for useless, and would read all rotations for each row.
    """
    moment = sa.func.min(sa.func.coalesce(rotations.c.paused_until, rotations.c.next_run_at)).label("moment")
    query = sa.select(rotations.c.connection_id, moment).where(OF_OWN_CREDENTIAL, rotations.c.enabled.is_(True))
    return query.group_by(rotations.c.connection_id).subquery("next_runs")


def own_rotations(*, enabled: bool | None = None, failed: bool = False) -> sa.Select[tuple[str]]:
    """Return as a subquery the connections that have a rotation of their own; those that are enabled, or paused; that failed."""
    query = sa.select(rotations.c.connection_id).where(OF_OWN_CREDENTIAL, rotations.c.connection_id.is_not(None))
    if enabled is not None:
        query = query.where(rotations.c.enabled.is_(enabled))
    return query.where(rotations.c.status == "failed") if failed else query


_CURRENT = sa.and_(ENTRIES.c.rotation_id == rotations.c.id, ENTRIES.c.state == "current")


def resting_until(moment: object) -> sa.Select[tuple[str]]:
    """Return as a subquery the connections whose own rotation is paused or has failed, and whose credential ends by then."""
    query = sa.select(rotations.c.connection_id).join(ENTRIES, _CURRENT)
    rests = sa.or_(rotations.c.enabled.is_(False), rotations.c.status == "failed")
    return query.where(OF_OWN_CREDENTIAL, rests, ENTRIES.c.ends_at <= moment)


def current_ends() -> sa.Subquery:
    """Return as a subquery when the current credentials of connections that rotate end, as :func:`next_runs` does."""
    moment = sa.func.min(ENTRIES.c.ends_at).label("moment")
    query = sa.select(rotations.c.connection_id, moment).select_from(rotations.join(ENTRIES, _CURRENT))
    return query.where(OF_OWN_CREDENTIAL).group_by(rotations.c.connection_id).subquery("current_ends")


def with_application(word: str) -> sa.Select[tuple[str]]:
    """Return as a subquery the connections that rotate an application with this in its name."""
    named = has_word(rotations.c.application_name, word)
    return sa.select(rotations.c.connection_id).where(OF_OWN_CREDENTIAL, rotations.c.connection_id.is_not(None), named)


def with_key(key_id: str) -> sa.Select[tuple[str]]:
    """Return as a subquery the connections of whose own rotation this is, or was, a credential."""
    of_key = rotations.c.id.in_(sa.select(ENTRIES.c.rotation_id).where(ENTRIES.c.key_id == key_id))
    return sa.select(rotations.c.connection_id).where(OF_OWN_CREDENTIAL, rotations.c.connection_id.is_not(None), of_key)
