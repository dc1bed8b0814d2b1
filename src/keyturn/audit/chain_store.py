"""All SQL on the hash chains."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

import sqlalchemy as sa

from keyturn.audit.chain import WITHOUT_ORGANIZATION, Chain
from keyturn.audit.chain_events import CHAIN_BEGUN
from keyturn.db.tables import audit_chains, audit_events, audit_links
from keyturn.db.unit import Tx

# As the database holds them: of a document and, on SQLite, of a moment the text. What is read differently is not the same.
_AS_STORED = {
    "at": sa.type_coerce(audit_events.c.at, sa.String),
    "data": sa.cast(audit_events.c.data, sa.Text),
}
CONTENT: tuple[sa.ColumnElement[Any], ...] = tuple(
    _AS_STORED.get(column.name, column).label(f"event_{column.name}") for column in audit_events.columns
)
"""All columns of an event, in the order in which they are hashed."""
ID, ORGANIZATION = (list(audit_events.columns.keys()).index(name) for name in ("id", "org_id"))

_CHAINS = sa.select(audit_chains).order_by(audit_chains.c.id)
_OF_IDS = _CHAINS.where(audit_chains.c.id.in_(sa.bindparam("ids", expanding=True)))
_UPDATE = sa.update(audit_chains).where(audit_chains.c.id == sa.bindparam("of_chain"))
_WITHOUT_LINK = sa.not_(sa.exists(sa.select(audit_links.c.event_id).where(audit_links.c.event_id == audit_events.c.id)))


def chains(tx: Tx, ids: Collection[str] | None = None) -> list[Chain]:
    """Return these chains, or all, in the order of their ids."""
    return [_chain(row) for row in (tx.rows(_CHAINS) if ids is None else tx.rows(_OF_IDS, ids=list(ids)))]


def lock_chains(tx: Tx, ids: Collection[str]) -> list[Chain]:
    """Return these chains in the order of their ids; nobody else moves one of them until the transaction ends."""
    return [_chain(row) for row in tx.rows(_OF_IDS.with_for_update(), ids=sorted(ids))]


def add_chain(tx: Tx, chain: Chain) -> None:
    tx.run(sa.insert(audit_chains), **_values(chain), id=chain.id)


def move(tx: Tx, chain: Chain) -> None:
    tx.run(_UPDATE, of_chain=chain.id, **_values(chain))


def add_links(tx: Tx, links: Sequence[Mapping[str, object]]) -> None:
    tx.run_all(sa.insert(audit_links), links)


def begun_chain_ids(tx: Tx, chain: str | None = None) -> set[str]:
    """Return the ids of the chains that began as events of the server tell: of all, or of this one only."""
    column = audit_events.c
    query = sa.select(column.subject_id).where(column.org_id.is_(None), column.event == CHAIN_BEGUN.name)
    rows = tx.rows(query if chain is None else query.where(column.subject_id == chain).limit(1))
    return {row["subject_id"] for row in rows}


def chain_links(tx: Tx, chain: str) -> Iterator[Any]:
    """Yield the chain with each of its links, and the columns of the event: of one moment, however long it takes.

    Each row is the five columns of the chain, position, event id and hash of the link, and :data:`CONTENT`. Where there is no
    link, or no event of the link, these are None.
    """
    head, link = audit_chains.c, audit_links.c
    query = (
        sa.select(*head, link.position.label("at_position"), link.event_id, link.hash.label("link_hash"), *CONTENT)
        .select_from(audit_chains)
        .outerjoin(audit_links, link.chain == head.id)
        .outerjoin(audit_events, audit_events.c.id == link.event_id)
        .where(head.id == chain)
        .order_by(link.position)
    )
    return tx.stream(query)


def links_of(tx: Tx, event_ids: Collection[int]) -> dict[int, tuple[int, str]]:
    """Return position and hash of the links of these events, by their ids."""
    link = audit_links.c
    query = sa.select(link.event_id, link.position, link.hash).where(link.event_id.in_(list(event_ids)))
    return {row["event_id"]: (row["position"], row["hash"]) for row in tx.rows(query)}


def linked_among(tx: Tx, event_ids: Collection[int]) -> list[tuple[Any, ...]]:
    """Return of those of these events that have a link: chain, position and hash of it, the hash before, and :data:`CONTENT`."""
    link, before, head = audit_links.c, audit_links.alias(), audit_chains.c
    preceding = sa.and_(before.c.chain == link.chain, before.c.position == link.position - 1)
    query = (
        sa.select(link.chain, link.position, link.hash, sa.func.coalesce(before.c.hash, head.start_hash), *CONTENT)
        .select_from(audit_links.join(audit_events, audit_events.c.id == link.event_id))
        .outerjoin(audit_chains, head.id == link.chain)
        .outerjoin(before, preceding)
        .where(link.event_id.in_(list(event_ids)))
    )
    return [tuple(row) for row in tx.tuples(query)]


def unlinked_events(tx: Tx, most: int, above: int = 0) -> list[tuple[Any, ...]]:
    """Return the first of the events, of any organization and none, that have no link: their :data:`CONTENT`."""
    query = sa.select(*CONTENT).where(_WITHOUT_LINK, audit_events.c.id > above).order_by(audit_events.c.id).limit(most)
    return [tuple(row) for row in tx.tuples(query)]


def without_place(tx: Tx, chain: str, most: int) -> list[int]:
    """Return the ids of the first events of the chain's organization that have no link in it: a link elsewhere is none."""
    of_event = sa.and_(audit_links.c.event_id == audit_events.c.id, audit_links.c.chain == chain)
    placed = sa.exists(sa.select(audit_links.c.event_id).where(of_event))
    query = sa.select(audit_events.c.id).where(sa.not_(placed), _of_chain(chain)).order_by(audit_events.c.id)
    return [event_id for (event_id,) in tx.tuples(query.limit(most))]


def stray_chains(tx: Tx, most: int) -> list[str]:
    """Return the ids of chains that links name and that are not there."""
    known = sa.select(audit_chains.c.id).where(audit_chains.c.id == audit_links.c.chain)
    query = sa.select(audit_links.c.chain).where(sa.not_(sa.exists(known))).distinct()
    return [row["chain"] for row in tx.rows(query.order_by(audit_links.c.chain).limit(most))]


def _of_chain(chain: str) -> sa.ColumnElement[bool]:
    column = audit_events.c.org_id
    return column.is_(None) if chain == WITHOUT_ORGANIZATION else column == chain


def removable(tx: Tx, up_to: int, until: datetime, now: datetime) -> str | None:
    """Return a chain of an organization whose first link is of an event that :func:`first_links` has; None: there is none."""
    link, head = audit_links.c, audit_chains.c
    first = sa.and_(link.chain == head.id, link.position == head.start_position + 1, link.event_id <= up_to)
    query = sa.select(head.id).select_from(
        audit_chains.join(audit_links, first).outerjoin(audit_events, audit_events.c.id == link.event_id)
    )
    row = tx.one(query.where(head.id != WITHOUT_ORGANIZATION, sa.not_(_young(until, now))).limit(1))
    return row["id"] if row else None


def first_links(tx: Tx, chain: str, up_to: int, until: datetime, now: datetime, most: int) -> list[tuple[Any, ...]]:
    """Return the first links of a chain, in their order, before that of an event that is young or has a higher id than ``up_to``.

    Each row is position, event id and hash of the link, and :data:`CONTENT`. Young is what happened since ``until``; an event
    from beyond ``now`` was written by a wrong clock, and is not.
    """
    link = audit_links.c
    stays = sa.or_(link.event_id > up_to, _young(until, now)).label("stays")
    query = (
        sa.select(stays, link.position, link.event_id, link.hash, *CONTENT)
        .select_from(audit_links.outerjoin(audit_events, audit_events.c.id == link.event_id))
        .where(link.chain == chain)
        .order_by(link.position)
        .limit(most)
    )
    return [tuple(row[1:]) for row in takewhile(lambda row: not row[0], tx.tuples(query))]


def _young(until: datetime, now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(audit_events.c.id.is_not(None), audit_events.c.at >= until, audit_events.c.at <= now)


def remove(tx: Tx, event_ids: Sequence[int]) -> None:
    """Delete these events with their links. The database refuses those above the floor or above the start of their chain."""
    tx.run(sa.delete(audit_events).where(audit_events.c.id.in_(event_ids)))
    tx.run(sa.delete(audit_links).where(audit_links.c.event_id.in_(event_ids)))


def _chain(row: Mapping[str, Any]) -> Chain:
    return Chain(**row)


def _values(chain: Chain) -> dict[str, object]:
    return {
        "start_position": chain.start_position,
        "start_hash": chain.start_hash,
        "position": chain.position,
        "hash": chain.hash,
        "seal": chain.seal,
    }
