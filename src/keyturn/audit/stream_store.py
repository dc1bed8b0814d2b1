"""All SQL on where audit events are sent."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.audit.chain import UNSEALED, Chain, holds, position_seal
from keyturn.audit.domain import ChainedEvent, StreamState
from keyturn.audit.store import read_event
from keyturn.crypto.audit_keys import ChainKey
from keyturn.db.tables import audit_chains, audit_events, audit_links, audit_stream_positions, audit_streams
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import FIRST

CHANGED = (
    "How far it has got, or a chain of events, was changed in the database, or is of a version without seals:"
    " all events that it may not have got are sent once more."
)
LONGEST_PAUSE = timedelta(minutes=5)
"""For so long at most a receiver is left alone, whatever the database says."""
_TAKEN = sa.and_(
    audit_stream_positions.c.stream_id == sa.bindparam("stream"), audit_stream_positions.c.chain == audit_chains.c.id
)
_PLACES = (
    sa.select(
        *audit_chains.c,
        audit_stream_positions.c.position.label("taken"),
        audit_stream_positions.c.seal.label("taken_seal"),
    )
    .select_from(audit_chains.outerjoin(audit_stream_positions, _TAKEN))
    .order_by(audit_chains.c.id)
)
_STATE = sa.select(audit_streams).where(audit_streams.c.id == sa.bindparam("stream"))
_CHANGE = sa.update(audit_streams).where(audit_streams.c.id == sa.bindparam("of_stream"))


def is_due(tx: Tx, key: ChainKey, stream: str, now: datetime) -> bool:
    """Whether there are events that the receiver has not got, and it is not left alone for a while."""
    row = tx.one(_STATE, stream=stream)
    if row is not None and row["wake_at"] is not None and now < row["wake_at"] <= now + LONGEST_PAUSE:
        return False
    return any(place.changed or place.taken < place.head for place in places(tx, key, stream))


def set_wake(tx: Tx, stream: str, at: datetime | None) -> None:
    tx.add_new(audit_streams, id=stream, failures=0)
    tx.run(_CHANGE, of_stream=stream, wake_at=at)


def note(tx: Tx, stream: str, **changes: Any) -> None:
    """Write down how it went."""
    tx.run(_CHANGE, of_stream=stream, **changes)


@dataclass(frozen=True)
class Place:
    """How far a receiver has got in a chain: up to ``taken``. ``changed``: what the database says of it was not written here."""

    chain: str
    taken: int
    head: int
    changed: bool


def places(tx: Tx, key: ChainKey, stream: str) -> list[Place]:
    """Return how far the receiver has got in each chain. What is not sealed by the key counts for nothing."""
    return [_place(key, stream, row) for row in tx.rows(_PLACES, stream=stream)]


def _place(key: ChainKey, stream: str, row: Mapping[str, Any]) -> Place:
    chain = Chain(**{column.name: row[column.name] for column in audit_chains.c})
    taken, seal = row["taken"] or 0, row["taken_seal"] or ""
    sealed = position_seal(key, stream, chain.id, taken)
    known = taken <= chain.position and hmac.compare_digest(seal.encode(), sealed.encode())
    genuine = known or row["taken"] is None
    whole = holds(key, chain)
    # Whoever writes where a chain starts must not have events left out. A chain that never holds again is still sent.
    start = chain.start_position if whole else 0
    changed = not genuine or not (whole or chain.seal == UNSEALED)
    return Place(chain.id, max(start, taken if genuine else 0), chain.position, changed)


def state(tx: Tx, key: ChainKey, stream: str) -> StreamState:
    """Return how it goes with a receiver, also with one that was never sent anything."""
    row, found = tx.one(_STATE, stream=stream), places(tx, key, stream)
    behind = sum(place.head - place.taken for place in found)
    if row is None:
        return StreamState(stream, None, None, 0, None, behind)
    since, reason = row["failing_since"], row["reason"]
    if since is None and any(place.changed for place in found):
        since, reason = row["sent_at"] or FIRST, CHANGED
    return StreamState(stream, row["sent_at"], since, row["failures"], reason, behind)


TRIED_WITHIN = timedelta(days=1)
"""A receiver that is tried no more is not one of this server: what fails is tried every few minutes."""


def failing(tx: Tx, now: datetime) -> Sequence[StreamState]:
    columns = audit_streams.c
    query = sa.select(audit_streams).where(columns.failing_since.is_not(None), columns.wake_at >= now - TRIED_WITHIN)
    names = ("id", "sent_at", "failing_since", "failures", "reason")
    return [StreamState(*(row[name] for name in names)) for row in tx.rows(query.order_by(columns.id))]


def after(tx: Tx, chain: str, position: int, most: int) -> list[ChainedEvent]:
    """Return the events of a chain above a position, in its order: none comes before them any more."""
    link = audit_links.c
    query = (
        sa.select(link.position, link.hash, audit_events)
        .join(audit_events, audit_events.c.id == link.event_id)
        .where(link.chain == chain, link.position > position)
        .order_by(link.position)
        .limit(most)
    )
    return [_chained(row) for row in tx.rows(query)]


def _chained(row: Mapping[str, Any]) -> ChainedEvent:
    return ChainedEvent(row["org_id"], row["position"], row["hash"], read_event(row))


def set_position(tx: Tx, key: ChainKey, stream: str, chain: str, position: int) -> None:
    """Write down that the receiver has the events up to this position, and no others."""
    seal = position_seal(key, stream, chain, position)
    if not tx.add_new(audit_stream_positions, stream_id=stream, chain=chain, position=position, seal=seal):
        column = audit_stream_positions.c
        where = (column.stream_id == stream, column.chain == chain)
        tx.run(sa.update(audit_stream_positions).where(*where).values(position=position, seal=seal))
