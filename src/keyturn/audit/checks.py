"""Verifying an organization's chain of events on behalf of somebody, which is an event itself."""

from collections.abc import Callable, Sequence
from functools import partial

from keyturn.audit import chain_events, chain_store, service, stream_store
from keyturn.audit.chain import Anchor, Chain
from keyturn.audit.domain import Filter, StoredEvent, StreamState, Subject, SubjectKind
from keyturn.audit.linking import key_of
from keyturn.audit.record import record
from keyturn.audit.verification import Verified, verify
from keyturn.authz.authorize import Scope, is_allowed, require
from keyturn.authz.domain import Action
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused, busy
from keyturn.kit.actor import Actor
from keyturn.kit.bulkhead import Bulkhead
from keyturn.ports.clock import Clock


def _with_nothing(_database: Database, _found: Verified) -> None: ...


class ChainChecks:
    """For those who may read all audit events of their organization. One chain is verified at a time."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        streams: Sequence[str] = (),
        compare: Callable[[Database, Verified], None] = _with_nothing,
    ) -> None:
        """``streams`` are the receivers that this server sends all events to.

        ``compare`` adds the faults of rows that are not as the events of a chain say.
        """
        self._compare = compare
        self._streams = streams
        self._database = database
        self._clock = clock
        self._compartment = Bulkhead(partial(busy, "verifying audit events"), places=1, waiting=1)

    def verify(self, actor: Actor, anchor: str | None = None) -> Verified:
        """Verify the chain of the actor's organization, and write down what was found.

        Raises Refused for an anchor that cannot be read or is of another organization.
        """
        with self._database.read() as tx:
            self._require(tx, actor)
        anchors = [] if anchor is None else [_anchor(anchor, actor.org_id)]
        with self._compartment.place():
            found = verify(self._database, key_of(self._database), actor.org_id, anchors)
            self._compare(self._database, found)
        with self._database.write() as tx:
            note(tx, actor, found, self._clock)
        return found

    def head(self, actor: Actor) -> Anchor:
        """Return the last link of the organization's chain. Raises as :func:`require`."""
        with self._database.read() as tx:
            self._require(tx, actor)
            chains = chain_store.chains(tx, [actor.org_id])
        return (chains[0] if chains else Chain(actor.org_id)).anchor

    def last(self, actor: Actor) -> StoredEvent | None:
        """Return the event of the last verification; None when there was none, or the actor may not read it."""
        with self._database.read() as tx:
            if not is_allowed(tx, actor, Action.READ_AUDIT_LOGS, Scope(actor.org_id)):
                return None
            conditions = Filter(actor.org_id, event=chain_events.EVENTS_VERIFIED.name)
            return next(iter(service.newest(tx, conditions, 1)), None)

    def streams(self, actor: Actor) -> list[StreamState]:
        """Return how it goes with the receivers of all events. Raises as :func:`require`."""
        with self._database.read() as tx:
            self._require(tx, actor)
            return [stream_store.state(tx, key_of(self._database), stream) for stream in self._streams]

    def _require(self, tx: Tx, actor: Actor) -> None:
        require(tx, actor, Action.READ_AUDIT_LOGS, Scope(actor.org_id))


def note(tx: Tx, actor: Actor, found: Verified, clock: Clock) -> None:
    """Write down that somebody had a chain verified, and what was found."""
    facts: dict[str, object] = {"events": found.events, "faults": found.fault_count}
    if found.head is not None:
        facts |= {"position": found.head.position, "hash": found.head.hash}
    if found.faults:
        facts["firstFault"] = str(found.faults[0])
    about = Subject(SubjectKind.ORGANIZATION, actor.org_id)
    record(tx, actor, chain_events.EVENTS_VERIFIED, about, clock.now(), **facts)


def _anchor(text: str, org_id: str) -> Anchor:
    anchor = parse_anchor(text)
    if anchor.chain != org_id:
        raise Refused(
            "The anchor is of another organization.", code="audit.anchor_foreign", field="anchor",
            fix="Give one that this organization's `keyturn audit head` or GET .../audit-logs/head printed.",
        )  # fmt: skip
    return anchor


def parse_anchor(text: str) -> Anchor:
    """Read an anchor. Raises Refused for what is none."""
    anchor = Anchor.parse(text)
    if anchor is None:
        raise Refused(
            "This is no anchor of a chain of audit events.", code="audit.anchor_invalid", field="anchor",
            fix="Give a whole line as `keyturn audit head` prints it.",
        )  # fmt: skip
    return anchor
