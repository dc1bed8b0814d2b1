"""Links each audit event into the hash chain of its organization, at the end of the transaction that writes it.

The head of a chain is locked from then to the commit, and those of several chains in the order of their ids: writers of one
organization wait for each other that long, others do not, and nobody waits in a circle.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from keyturn.audit import chain_events, chain_store
from keyturn.audit.chain import UNSEALED, WITHOUT_ORGANIZATION, Chain, link_hash, reseal_chain, seal_chain
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.crypto.audit_keys import ChainKey, chain_key, make_chain_key, receipt_key
from keyturn.db.postgres import without_limits
from keyturn.db.unit import Database, Tx
from keyturn.errors import Misconfigured
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer

AT_ONCE = 1000
"""Events of before the chains that are read and linked together."""
_MOST_KNOWN = 10_000
_FIRST = "audit chains"
_SERVER = Actor(ActorKind.PLATFORM, None, "Keyturn", "", Role.ADMIN)

Events = Sequence[tuple[Any, ...]]


class Linker:
    """``db.unit.Database.link`` of a process that has the keys. For any number of threads."""

    def __init__(self, key: ChainKey, clock: Clock) -> None:
        self.key = key
        self._clock = clock
        self._known: set[str] = set()

    def __call__(self, tx: Tx) -> None:
        by_chain = by_organization(tx.events)
        if not by_chain.keys() <= self._known:
            self._begin_new(tx, by_chain.keys())
            by_chain = by_organization(tx.events)
        chains = chain_store.lock_chains(tx, by_chain)
        for chain in chains:
            append(tx, self.key, chain, by_chain[chain.id])
        if len(self._known) + len(chains) > _MOST_KNOWN:
            self._known.clear()
        self._known.update(chain.id for chain in chains)

    def _begin_new(self, tx: Tx, ids: Iterable[str]) -> None:
        """Begin the chains that are not there yet. The lock of the one that tells of it comes before those of all others."""
        there = {chain.id for chain in chain_store.chains(tx, list(ids))}
        if there.issuperset(ids):
            return
        if not chain_store.lock_chains(tx, [WITHOUT_ORGANIZATION]):
            # It is made together with the key: somebody has deleted it. What follows is kept, and never holds.
            chain_store.add_chain(tx, Chain(WITHOUT_ORGANIZATION))
        there = {chain.id for chain in chain_store.chains(tx, [*ids, WITHOUT_ORGANIZATION])}
        for new in sorted(set(ids) - there):
            begin(tx, self.key, new, self._clock.now())


def by_organization(events: Events) -> dict[str, list[tuple[Any, ...]]]:
    """Return the events by the id of their chain."""
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for event in events:
        found[event[chain_store.ORGANIZATION] or WITHOUT_ORGANIZATION].append(event)
    return found


def begin(tx: Tx, key: ChainKey, chain_id: str, now: datetime) -> None:
    """Begin the chain of an organization, and tell it in that of the server. One that began before, and is gone, never holds."""
    again = chain_id in chain_store.begun_chain_ids(tx, chain_id)
    new = Chain(chain_id)
    chain_store.add_chain(tx, new if again else seal_chain(key, new))
    record(tx, _SERVER, chain_events.CHAIN_BEGUN, Subject(SubjectKind.ORGANIZATION, chain_id), now)


def append(tx: Tx, key: ChainKey, chain: Chain, events: Events) -> Chain:
    """Add the events to the end of a chain that is locked, in this order; return it."""
    position, last, links = chain.position, chain.hash, []
    for position, event in enumerate(events, chain.position + 1):
        last = link_hash(key, chain.id, position, last, event)
        links.append({"event_id": event[chain_store.ID], "chain": chain.id, "position": position, "hash": last})
    chain_store.add_links(tx, links)
    moved = reseal_chain(key, chain, Chain(chain.id, chain.start_position, chain.start_hash, position, last, UNSEALED))
    chain_store.move(tx, moved)
    return moved


def open_chains(database: Database, sealer: Sealer, clock: Clock) -> None:
    """Let this process write audit events. The first time, link all events that are there: what they say then is the beginning.

    Repeatable, and safe in several processes at once. Raises Misconfigured when the key of the chains does not open, or is gone
    while there are chains.
    """
    with database.read() as tx:
        key = chain_key(tx, sealer)
    if key is None:
        with database.write() as tx:
            tx.alone_with(_FIRST)
            key = chain_key(tx, sealer) or _first_links(tx, sealer, clock.now())
    receipt_key(database, sealer, clock.now())  # those who read receipts write nothing
    database.link = Linker(key, clock)


def key_of(database: Database) -> ChainKey:
    """Return the key of the chains of a database that was opened with its keys."""
    if not isinstance(database.link, Linker):
        raise TypeError("the database was opened without its keys")
    return database.link.key


def _first_links(tx: Tx, sealer: Sealer, now: datetime) -> ChainKey:
    # Or history could be written anew, with the server's own key.
    if chain_store.chains(tx) or chain_store.begun_chain_ids(tx):
        raise key_is_gone()
    if tx.postgres:
        without_limits(tx.connection)
    key = make_chain_key(tx, sealer, now)
    chain_store.add_chain(tx, seal_chain(key, Chain(WITHOUT_ORGANIZATION)))
    link_the_rest(tx, key, now)
    return key


def link_the_rest(tx: Tx, key: ChainKey, now: datetime) -> Counter[str]:
    """Link all events that have no link, in the order of their ids; return how many there were of each chain.

    That of an older version of the server, which knows no chains, has none; nor has one that was added to the database by hand.
    """
    chains = {chain.id: chain for chain in chain_store.lock_chains(tx, [chain.id for chain in chain_store.chains(tx)])}
    counts: Counter[str] = Counter()
    last = 0
    while batch := chain_store.unlinked_events(tx, AT_ONCE, above=last):
        last = batch[-1][chain_store.ID]
        for chain_id, events in by_organization(batch).items():
            if chain_id not in chains:
                begin(tx, key, chain_id, now)
                chains.update((chain.id, chain) for chain in chain_store.lock_chains(tx, [chain_id]))
            chains[chain_id] = append(tx, key, chains[chain_id], events)
            counts[chain_id] += len(events)
    tx.events.clear()  # those that tell of new chains were among the rest
    return counts


def key_is_gone() -> Misconfigured:
    """Build the error for chains without their key."""
    return Misconfigured(
        "The key of the audit trail's hash chains is gone from the database.",
        code="audit.key_missing",
        fix="Restore the table audit_keys from a backup of this database.",
    )
