"""Verifies hash chains: each event against its link, each link against the one before, the last against the sealed head."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import field
from typing import Any

from keyturn.audit import chain_store
from keyturn.audit.chain import WITHOUT_ORGANIZATION, Anchor, Chain, holds, link_hash
from keyturn.crypto.audit_keys import ChainKey
from keyturn.db.unit import Database, Tx
from keyturn.kit.dataclasses import dataclass

MOST_FAULTS = 100
"""Faults of one chain that are listed; all are counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: with the event, as far as it is known."""

    message: str
    position: int | None = None
    event_id: int | None = None

    def __str__(self) -> str:
        at = f"position {self.position}: " if self.position is not None else ""
        return f"{at}event {self.event_id}: {self.message}" if self.event_id is not None else f"{at}{self.message}"


@dataclass
class Verified:
    """What was found of one chain: its head, how many events have their links, and the faults."""

    chain: str
    head: Chain | None = None
    events: int = 0
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0

    @property
    def ok(self) -> bool:
        return not self.fault_count

    def add(self, message: str, position: int | None = None, event_id: int | None = None) -> None:
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(message, position, event_id))


def verify_all(database: Database, key: ChainKey, anchors: Sequence[Anchor] = ()) -> Iterator[Verified]:
    """Yield what is found of each chain, one after another. Changes nothing; few rows are in memory at a time."""
    with database.read() as tx:
        there = {chain.id for chain in chain_store.chains(tx)}
        named = there | chain_store.begun_chain_ids(tx) | set(chain_store.stray_chains(tx, MOST_FAULTS))
        named |= {anchor.chain for anchor in anchors} | {WITHOUT_ORGANIZATION}
    for chain in sorted(named):
        yield verify(database, key, chain, [anchor for anchor in anchors if anchor.chain == chain])


def verify(database: Database, key: ChainKey, chain: str, anchors: Sequence[Anchor] = ()) -> Verified:
    """Verify the chain of an organization, and that it has the anchors, which are of it. Changes nothing."""
    found = Verified(chain)
    with database.read() as tx:
        reading = _Reading(key, found, anchors)
        for row in chain_store.chain_links(tx, chain):
            reading.add(row)
        reading.end()
        _find_unlinked(tx, found)
    return found


def changed_among(tx: Tx, key: ChainKey, event_ids: Collection[int]) -> list[int]:
    """Return the ids of those of these events that have a link, and are not what it was made of."""
    return sorted(
        content[chain_store.ID]
        for chain, position, link, before, *content in chain_store.linked_among(tx, event_ids)
        if link != link_hash(key, chain, position, before or "", content)
    )


class _Reading:
    """Goes along one chain."""

    def __init__(self, key: ChainKey, found: Verified, anchors: Sequence[Anchor]) -> None:
        self._key = key
        self._found = found
        self._anchors: dict[int, list[Anchor]] = defaultdict(list)
        for anchor in anchors:
            self._anchors[anchor.position].append(anchor)
        self._head: Chain | None = None
        self._position = 0
        self._last: str | None = None

    def add(self, row: Sequence[Any]) -> None:
        if self._head is None:
            self._head = self._found.head = Chain(*row[:6])
            self._position, self._last = self._head.start_position, self._head.start_hash
            self._compare(self._head.start_position, self._head.start_hash)
        position, event_id, link = row[6:9]
        if position is None:
            return  # a chain without links
        found, content = self._found, row[9:]
        if position <= self._head.start_position:
            found.add("it has a link below the start of its chain, where nothing may be", position, event_id)
            return
        if position != self._position + 1:
            gone = f"{self._position + 1} to {position - 1}"
            found.add(f"the links at the positions {gone} are gone", self._position + 1)
        elif content[0] is None:
            found.add("the event is gone", position, event_id)
        elif self._last is not None and link != link_hash(self._key, found.chain, position, self._last, content):
            found.add("the event or its link was changed, or is not the one that was written", position, event_id)
        else:
            found.events += 1
        self._position, self._last = position, link
        self._compare(position, link)

    def end(self) -> None:
        """Compare what was gone along with the head, and with the anchors that were not met."""
        head, found = self._head, self._found
        if head is None:
            found.add("the chain is gone from the database")
            return
        if not holds(self._key, head):
            found.add(
                "the seal of the head does not hold: it was changed, or events that were there are gone", head.position
            )
        if self._position < head.position:
            found.add(f"the end is gone: the positions {self._position + 1} to {head.position}", self._position + 1)
        elif self._position > head.position or self._last != head.hash:
            found.add("the head is not the last link", head.position)
        for anchor in (each for position in sorted(self._anchors) for each in self._anchors[position]):
            if anchor.position < head.start_position:
                found.add(
                    "the anchor is of before the events that are kept: nothing can be said of it", anchor.position
                )
            else:
                found.add("the anchor's link is not there: the end of the chain was cut off", anchor.position)

    def _compare(self, position: int, link: str) -> None:
        if self._anchors:
            for anchor in self._anchors.pop(position, ()):
                if anchor.hash != link:
                    self._found.add("the link is another one than the anchor says", position)


def _find_unlinked(tx: Tx, found: Verified) -> None:
    for event_id in chain_store.without_place(tx, found.chain, MOST_FAULTS):
        found.add("the event is in no chain: an older version wrote it, or it was added by hand", None, event_id)
