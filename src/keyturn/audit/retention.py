"""Removes the audit events that are older than the operator wants to keep."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.audit import chain_store, events, store
from keyturn.audit.chain import UNSEALED, link_hash, reseal_chain
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.linking import key_of
from keyturn.audit.record import record
from keyturn.crypto.audit_keys import ChainKey
from keyturn.db.unit import Database, Tx
from keyturn.kit.actor import platform
from keyturn.kit.clock import iso

AT_ONCE = 500
"""Events removed in one transaction: nobody who writes waits for longer than that takes."""
OVERDUE = timedelta(days=1)
"""How far the oldest event is over its time when a removal begins: each is an event itself, so they are not too many."""
ALONE = "retention"


def remove_old_events(
    database: Database, days: int, confirmed_at: datetime, now: datetime, stopped: Callable[[], bool]
) -> bool:
    """Remove the events that are older than so many days; 0 removes none. What is left is the trail without its beginning.

    Ages count from ``confirmed_at``, a moment that is certain to have come; ``now`` is what this server's clock says.
    A removal is written down before it begins, and goes on where it was left off. ``stopped`` is asked after each part of it.
    Returns whether it was stopped, so that something may be left.
    """
    if not days:
        return False
    _begin(database, days, confirmed_at, now)
    until = confirmed_at - timedelta(days=days)
    while True:
        with database.write() as tx:
            tx.alone_with(ALONE)
            removed = _remove_some(tx, key_of(database), until, confirmed_at)
        if not removed:
            return False
        if stopped():
            return True


def _remove_some(tx: Tx, key: ChainKey, until: datetime, now: datetime) -> bool:
    """Remove the first events of one chain, and let it start after them; return False when none may be removed.

    An event with a low id that was committed late stays until those before it in its chain go. Whoever has the database could
    have written the floor: so what is young stays whatever it says, and where something that goes is not what was written,
    perhaps not its age either, the chain never holds again.
    """
    floor = store.floor(tx)
    chain_id = chain_store.removable(tx, floor, until, now)
    if chain_id is None:
        return False
    (chain,) = chain_store.lock_chains(tx, [chain_id])
    old = chain_store.first_links(tx, chain_id, floor, until, now, AT_ONCE)
    genuine, last = True, chain.start_hash
    for position, _, link, *content in old:
        genuine = genuine and link == link_hash(key, chain.id, position, last, content)
        last = link
    start = replace(chain, start_position=old[-1][0], start_hash=last)
    chain_store.move(tx, reseal_chain(key, chain, start) if genuine else replace(start, seal=UNSEALED))
    chain_store.remove(tx, [event_id for _, event_id, *_ in old])
    return True


def _begin(database: Database, days: int, confirmed_at: datetime, now: datetime) -> None:
    """Raise the floor, and tell each organization what it loses."""
    until = confirmed_at - timedelta(days=days)
    with database.read() as tx:  # counting takes long: nobody who writes waits for it
        floor, up_to = store.floor(tx), store.last_old(tx, until, confirmed_at)
        if up_to is None or not store.any_before(tx, until - OVERDUE, floor, up_to):
            return
        counts = store.count_by_organization(tx, floor, up_to)
    with database.write() as tx:
        tx.alone_with(ALONE)
        if store.floor(tx) != floor:
            return  # another server has just done it
        for org_id, count in counts.items():
            facts = {"count": count, "before": iso(until), "upToId": str(up_to), "keptDays": days}
            lost_by = Subject(SubjectKind.ORGANIZATION, org_id)
            record(tx, platform(org_id), events.EVENTS_REMOVED, lost_by, now, **facts)
        store.raise_floor(tx, up_to, until, now)
