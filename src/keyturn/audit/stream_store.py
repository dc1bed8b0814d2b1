"""All SQL on where audit events are sent."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.audit.domain import ChainedEvent, StreamState
from keyturn.audit.store import read_event
from keyturn.db.tables import audit_chains, audit_events, audit_links, audit_stream_positions, audit_streams
from keyturn.db.unit import Tx

_TAKEN = sa.and_(
    audit_stream_positions.c.stream_id == sa.bindparam("stream"), audit_stream_positions.c.chain == audit_chains.c.id
)
_POSITION = sa.func.coalesce(audit_stream_positions.c.position, 0)
_DONE = sa.case((audit_chains.c.start_position > _POSITION, audit_chains.c.start_position), else_=_POSITION)
"""What was removed, as it was no longer to be kept, is not sent."""
_FROM = audit_chains.outerjoin(audit_stream_positions, _TAKEN)
_NEW = (
    sa.select(audit_chains.c.id, _DONE.label("position"))
    .select_from(_FROM)
    .where(audit_chains.c.position > _DONE)
    .order_by(audit_chains.c.id)
)
_BEHIND = sa.select(sa.func.sum(audit_chains.c.position - _DONE).label("n")).select_from(_FROM)
_STATE = sa.select(audit_streams).where(audit_streams.c.id == sa.bindparam("stream"))
_CHANGE = sa.update(audit_streams).where(audit_streams.c.id == sa.bindparam("of_stream"))


def is_due(tx: Tx, stream: str, now: datetime) -> bool:
    """Whether there are events that the receiver has not got, and it is not left alone for a while."""
    row = tx.one(_STATE, stream=stream)
    if row is not None and row["wake_at"] is not None and row["wake_at"] > now:
        return False
    return tx.one(_NEW.limit(1), stream=stream) is not None


def set_wake(tx: Tx, stream: str, at: datetime | None) -> None:
    tx.add_new(audit_streams, id=stream, failures=0)
    tx.run(_CHANGE, of_stream=stream, wake_at=at)


def note(tx: Tx, stream: str, **changes: Any) -> None:
    """Write down how it went."""
    tx.run(_CHANGE, of_stream=stream, **changes)


def state(tx: Tx, stream: str) -> StreamState:
    """Return how it goes with a receiver, also with one that was never sent anything."""
    row = tx.one(_STATE, stream=stream)
    behind = int(tx.rows(_BEHIND, stream=stream)[0]["n"] or 0)
    if row is None:
        return StreamState(stream, None, None, 0, None, behind)
    return StreamState(stream, row["sent_at"], row["failing_since"], row["failures"], row["reason"], behind)


TRIED_WITHIN = timedelta(days=1)
"""A receiver that is tried no more is not one of this server: what fails is tried every few minutes."""


def failing(tx: Tx, now: datetime) -> Sequence[StreamState]:
    columns = audit_streams.c
    query = sa.select(audit_streams).where(columns.failing_since.is_not(None), columns.wake_at >= now - TRIED_WITHIN)
    names = ("id", "sent_at", "failing_since", "failures", "reason")
    return [StreamState(*(row[name] for name in names)) for row in tx.rows(query.order_by(columns.id))]


def behind(tx: Tx, stream: str) -> Sequence[tuple[str, int]]:
    """Return the chains with events that the receiver has not got, and up to which position it has those."""
    return [(row["id"], row["position"]) for row in tx.rows(_NEW, stream=stream)]


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


def advance(tx: Tx, stream: str, chain: str, position: int) -> None:
    """Write down that the receiver has the events up to this position."""
    if not tx.add_new(audit_stream_positions, stream_id=stream, chain=chain, position=position):
        column = audit_stream_positions.c
        where = (column.stream_id == stream, column.chain == chain, column.position < position)
        tx.run(sa.update(audit_stream_positions).where(*where).values(position=position))
