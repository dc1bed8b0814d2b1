"""What the operator does with the trail of a whole server: prints the heads of its chains, links what is in none, exports."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from keyturn.audit import chain_events, chain_store, store
from keyturn.audit.chain import WITHOUT_ORGANIZATION, Anchor
from keyturn.audit.domain import StoredEvent, Subject, SubjectKind
from keyturn.audit.linking import key_of, link_the_rest
from keyturn.audit.record import record
from keyturn.audit.service import AuditSearch, criteria_of
from keyturn.db.unit import Database
from keyturn.kit.actor import platform

_AT_ONCE = 1000


def anchors(database: Database) -> list[Anchor]:
    """Return the head of each chain."""
    with database.read() as tx:
        return [chain.anchor for chain in chain_store.chains(tx)]


def adopt(database: Database, reason: str, now: datetime) -> Counter[str]:
    """Link the events that are in no chain, and tell each organization; return how many there were of each. Repeatable."""
    with database.write() as tx:
        counts = link_the_rest(tx, key_of(database), now)
        for chain, count in counts.items():
            if chain != WITHOUT_ORGANIZATION:
                subject = Subject(SubjectKind.ORGANIZATION, chain)
                record(tx, platform(chain), chain_events.EVENTS_ADOPTED, subject, now, count=count, reason=reason)
    return counts


def export_events(
    database: Database, org_ids: Sequence[str], search: AuditSearch
) -> Iterator[tuple[Sequence[StoredEvent], Mapping[str, str]]]:
    """Yield the matching events of these organizations, newest first, in parts, with the names of what they are about."""
    for org_id in org_ids:
        before: int | None = None
        while True:
            with database.read() as tx:
                criteria = replace(criteria_of(tx, org_id, search), before=before)
                events = store.newest(tx, criteria, _AT_ONCE)
                names = store.names(tx, {event.subject_id for event in events})
            if events:
                yield events, names
            if len(events) < _AT_ONCE:
                break
            before = events[-1].id
