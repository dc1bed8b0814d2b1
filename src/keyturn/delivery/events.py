"""Streams of what changes in a project, for those who hold a connection open. Names and reasons, never a value.

What is sent is decided when it is sent, by the rights that the receiver has then.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from enum import StrEnum

from keyturn.authz.authorize import Scope, grants_of, require_in
from keyturn.authz.domain import Action
from keyturn.changes import store as feed
from keyturn.changes.domain import Change
from keyturn.db.unit import Database
from keyturn.delivery.claims import Claim
from keyturn.delivery.concerns import Concern
from keyturn.delivery.event_views import Interest, visible_change
from keyturn.delivery.watch import ChangeWatch, Numbered, Waiter
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.secrets.domain import Address, owner_of

HEARTBEAT = 15.0
"""Seconds between two signs of life, where nothing else was sent."""
_AT_ONCE = 500


class EventKind(StrEnum):
    CHANGE = "change"
    HEARTBEAT = "heartbeat"
    RESET = "reset"
    """What happened since the event that the receiver named is not known any more: it has to read everything anew."""
    END = "end"
    """The receiver may not know any more, and is told why."""


@dataclass(frozen=True)
class Event:
    """``number`` is how far the receiver has got with it: from there the next stream goes on."""

    kind: EventKind
    number: int
    change: Change | None = None
    refusal: KeyturnError | None = None


@dataclass(frozen=True)
class Subscription:
    """``position``: of the changes up to it nothing is told. ``reset``: some of those before it are not known any more."""

    claim: Claim
    interests: Sequence[Interest]
    position: int
    reset: bool
    place: float


class EventStreams:
    """Opens streams. ``events`` is used on the event loop, the rest in threads."""

    def __init__(self, database: Database, watch: ChangeWatch) -> None:
        self._database = database
        self._watch = watch

    def subscribe(
        self,
        actor: Actor,
        token: Plaintext,
        ip: str,
        address: Address,
        interests: Sequence[Interest],
        last_event_id: str,
        place: float,
    ) -> Subscription:
        """Return what a stream begins with. Raises as signing in does, NotFound, and Forbidden for who can be told nothing.

        A last event that is not of this project's feed, or below what the feed still has, makes a stream that begins anew.
        """
        self._watch.require_room()
        claim = self._watch.claims.of(token, ip, actor, address)
        with self._database.read() as tx:
            grants_of(
                tx, claim.standing.actor, Scope(actor.org_id, claim.project_id)
            )  # a project that is not there is NotFound
            floor = feed.floor(tx, claim.project_id) if last_event_id else 0
        _require_something(claim, interests)
        if not last_event_id:
            return Subscription(claim, interests, claim.revision, False, place)
        number = _number(last_event_id)
        known = number is not None and floor <= number <= claim.revision
        position = number if number is not None and known else claim.revision
        return Subscription(claim, interests, position, not known, place)

    async def events(self, subscription: Subscription) -> AsyncGenerator[Event, None]:
        """Yield what the receiver is told, until they leave or may not know any more. Raises Unavailable when too many wait."""
        claim, position = subscription.claim, subscription.position
        woken = asyncio.Event()
        waiter = Waiter(claim, Concern(owner_id=owner_of(claim.standing.actor)), subscription.place, woken.set, True)
        self._watch.enter()
        self._watch.add(waiter)
        try:
            yield Event(EventKind.RESET if subscription.reset else EventKind.HEARTBEAT, position)
            while not self._watch.released:
                woken.clear()
                refusal = await self._refusal(subscription)
                if refusal is not None:
                    yield Event(EventKind.END, position, refusal=refusal)
                    return
                changes, floor = await self._after(claim, position)
                if position < floor:
                    position = floor
                    yield Event(EventKind.RESET, position)
                    continue
                for number, change in changes:
                    position = number
                    told = self._shown(subscription, change)
                    if told is not None:
                        yield Event(EventKind.CHANGE, number, told)
                if not changes and not await self._watch.rest(woken, self._patience(claim)):
                    yield Event(EventKind.HEARTBEAT, position)
        finally:
            self._watch.remove(waiter)
            self._watch.leave()

    async def _after(self, claim: Claim, position: int) -> tuple[Sequence[Numbered], int]:
        """Return what comes after the position, and below which number changes are not known any more."""
        changes = self._watch.changes_since(claim.project_id, position)
        if changes is not None:
            return changes, position
        end = self._watch.may_tell(claim)
        read, floor = await asyncio.to_thread(self._read, claim.project_id, position)
        return [each for each in read if each[0] <= end], min(floor, end)

    def _patience(self, claim: Claim) -> float:
        holds = self._watch.holds_for(claim)
        return HEARTBEAT if holds is None else min(HEARTBEAT, holds)

    async def _refusal(self, subscription: Subscription) -> KeyturnError | None:
        claim = subscription.claim
        if claim.refusal is None and self._watch.holds_for(claim) == 0:
            for _, standing in await asyncio.to_thread(self._watch.claims.look_again, [claim]):
                if isinstance(standing, KeyturnError):
                    claim.refusal = standing
                else:
                    claim.standing = standing
        if claim.refusal is None:
            try:
                _require_something(claim, subscription.interests)
            except KeyturnError as error:
                return error
        return claim.refusal

    def _shown(self, subscription: Subscription, change: Change) -> Change | None:
        actor, grants = subscription.claim.standing.actor, subscription.claim.standing.grants
        project_id = subscription.claim.project_id
        return visible_change(change, grants, actor.org_id, project_id, owner_of(actor), subscription.interests)

    def _read(self, project_id: str, position: int) -> tuple[Sequence[Numbered], int]:
        with self._database.read() as tx:
            return feed.since(tx, project_id, position, _AT_ONCE), feed.floor(tx, project_id)


def _require_something(claim: Claim, interests: Sequence[Interest]) -> None:
    """Raise Forbidden when there is no place, of those asked for, whose secrets the receiver may know of."""
    standing = claim.standing

    def scope(interest: Interest) -> Scope:
        return Scope(standing.actor.org_id, claim.project_id, interest.environment, interest.path)

    def may(interest: Interest) -> bool:
        if interest.environment is None or interest.path is None or interest.recursive:
            return standing.grants.anywhere(Action.DESCRIBE_SECRETS, interest.environment)
        return standing.grants.allow(Action.DESCRIBE_SECRETS, scope(interest))

    if not any(map(may, interests)):
        require_in(standing.grants, standing.actor, Action.DESCRIBE_SECRETS, scope(interests[0]))


def _number(text: str) -> int | None:
    """Return the number of an event's id; None for what is no id of ours."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
