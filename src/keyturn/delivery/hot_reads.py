"""Answers to reads that were answered before, as long as nothing has changed that they depend on.

Three things are kept, each bounded by bytes: what a token is good for, which answer a caller with certain rights gets to a
request, and answers with their values still sealed. All of it counts only while two numbers are what they were: the revision of
the project and the access revision. A write of this process is known before it is answered; what other processes write is known
within ``CONFIRMED_FOR``, and when the database cannot be asked for so long, nothing that is kept is used. What ends by the clock
is compared with the clock each time, and so is the caller's address.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import field
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from keyturn.authz.authorize import granted_to_each
from keyturn.changes.counters import Counters
from keyturn.db.unit import Database
from keyturn.delivery.caches import BytesCache
from keyturn.delivery.claims import Claim, Standing
from keyturn.delivery.concerns import Concern
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.secrets.domain import owner_of
from keyturn.secrets.read_audit import ValuesRead
from keyturn.secrets.selection import permission_view
from keyturn.tokens import store as tokens
from keyturn.tokens.addresses import is_trusted
from keyturn.tokens.service import USE_NOTED_EVERY

CONFIRMED_FOR = 1.0
"""Seconds after which what a look at the counters has found is not relied on any more."""
ANSWER_BYTES = 64 * 1024 * 1024
OTHER_BYTES = 16 * 1024 * 1024
"""For tokens, and as much for which answer is whose."""
MOST_PROJECTS = 1000
_MOST_TARGETS = 32
_SESSION_BYTES = 1500
_TARGET_BYTES = 600
LONGEST_TARGET = 1024
"""Bytes of a path and a query; of longer ones nothing is kept."""

Target = tuple[str, bytes]
"""Path and query of a request, as they were sent."""


@dataclass(frozen=True, slots=True)
class HotAnswer:
    """An answer that may be given again. ``json`` opens its values, each time; ``read`` is None when no value is in it."""

    etag: str
    read: ValuesRead | None
    json: Callable[[], bytes]
    size: int


Told = TypeVar("Told")
"""What is told beside an answer, and is not part of it."""


@dataclass(frozen=True, slots=True)
class Kept(Generic[Told]):
    """What is known of an answer that is to be kept. ``content`` is another text for each other answer.

    ``concern`` is what it was made of; ``told`` may be told for so long as ``holds``; None: as long as the answer is kept.
    """

    actor: Actor
    project_id: str
    content: str
    concern: Concern
    told: Told
    holds: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """Taken before a request is answered the long way, so that the answer can be kept: what was known then."""

    session_key: bytes
    target: Target
    moves: int
    access: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What somebody found at a target: by the clock alone it may be something else from ``until`` on."""

    view: bytes
    until: datetime | None
    standing: Standing


@dataclass(slots=True)
class _Session:
    """What a token is good for: that of ``actor``, from these addresses (None: any), until these moments."""

    digest: str
    access: int
    actor: Actor
    trusted_ips: tuple[str, ...] | None
    expires_at: datetime | None
    noted_until: datetime
    """Then a use of it has to be written down again."""
    found: dict[Target, _Found] = field(default_factory=dict)
    size: int = _SESSION_BYTES


@dataclass(frozen=True, slots=True)
class _Answered(Generic[Told]):
    kept: Kept[Told]
    revision: int
    access: int
    until: datetime | None


class Hit(NamedTuple, Generic[Told]):
    """An answer that is right at this moment for who asked."""

    actor: Actor
    answer: HotAnswer
    answered: _Answered[Told]
    standing: Standing
    digest: str

    def claim(self, ip: str, request_id: str) -> Claim:
        """Return what somebody comes with who waits until this answer is another one."""
        of = self.answered
        return Claim(self.digest, ip, request_id, of.kept.project_id, of.revision, of.access, self.standing)


class HotReads(Generic[Told]):
    """For any number of threads; ``known`` touches neither the database nor a file."""

    def __init__(self, database: Database, clock: Clock, counters: Counters) -> None:
        self._database = database
        self._clock = clock
        self.counters = counters
        self._sessions: BytesCache[bytes, _Session] = BytesCache(OTHER_BYTES)
        self._answered: BytesCache[tuple[Target, bytes], _Answered[Told]] = BytesCache(OTHER_BYTES)
        self._answers: BytesCache[str, HotAnswer] = BytesCache(ANSWER_BYTES)
        self._projects: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def fresh(self) -> bool:
        """Whether what is kept may be used now, as far as the counters are known."""
        return self.counters.settled(CONFIRMED_FOR)

    def known(self, session_key: bytes, target: Target, ip: str) -> Hit[Told] | None:
        """Return who asks, the answer they get, and what is told beside it.

        None: it is to be found out the long way, which also says every refusal.
        """
        session = self._sessions.get(session_key)
        if session is None or session.access != self.counters.access or not self.fresh:
            return None
        found = session.found.get(target)
        if found is None:
            return None
        now = self._clock.now()
        if (
            now >= session.noted_until
            or (session.expires_at is not None and now >= session.expires_at)
            or (found.until is not None and now >= found.until)
            or (session.trusted_ips is not None and not is_trusted(session.trusted_ips, ip))
        ):
            return None
        answered = self._answered.get((target, found.view))
        if (
            answered is None
            or answered.access != session.access
            or answered.revision != self.counters.revision(answered.kept.project_id)
            or (answered.until is not None and now >= answered.until)
        ):
            return None
        answer = self._answers.get(answered.kept.content)
        return None if answer is None else Hit(session.actor, answer, answered, found.standing, session.digest)

    def view(self, session_key: bytes, target: Target) -> bytes | None:
        """Return what stands for the rights by which this token's answer was found, as long as they are the same."""
        session = self._sessions.get(session_key)
        if session is None or session.access != self.counters.access:
            return None
        found = session.found.get(target)
        return None if found is None else found.view

    def ticket(self, session_key: bytes, target: Target) -> Ticket | None:
        """Return what an answer that is now made the long way is kept with; None when it cannot be."""
        if len(target[0]) + len(target[1]) > LONGEST_TARGET:
            return None
        self.counters.start()
        moves, access = self.counters.moves, self.counters.access
        return Ticket(session_key, target, moves, access) if self.fresh else None

    def learn(self, ticket: Ticket, token: str, kept: Kept[Told], make: Callable[[], HotAnswer | None]) -> None:
        """Keep an answer, if nothing has moved since the ticket was taken. ``token`` is the digest that is stored of it.

        ``make`` is called when there is none with this content.
        """
        actor, project_id, now = kept.actor, kept.project_id, self._clock.now()
        revision = self._still(ticket, project_id)
        if revision is None:
            return
        with self._database.read() as tx:
            stored = tokens.token(tx, token)
            [(grants, until)] = granted_to_each(tx, [actor], project_id)
        if stored is None or stored.uses_limit or stored.revoked_at or stored.last_used_at is None:
            return
        answer = self._answers.get(kept.content) or make()
        if answer is None:
            return
        until_told = None if kept.holds is None else now + kept.holds
        view = _digest([actor.org_id, owner_of(actor), permission_view(grants)])
        ends = [moment for moment in (until, stored.expires_at) if moment is not None]
        standing = Standing(stored.actor, grants, min(ends, default=None))
        with self._lock:
            if self._still(ticket, project_id) != revision:
                return
            session = self._sessions.get(ticket.session_key)
            if session is None or session.access != ticket.access:
                session = _Session(
                    token,
                    ticket.access,
                    stored.actor,
                    stored.trusted_ips,
                    stored.expires_at,
                    stored.last_used_at + USE_NOTED_EVERY,
                )
            session.noted_until = stored.last_used_at + USE_NOTED_EVERY
            size = _TARGET_BYTES + len(ticket.target[0]) + len(ticket.target[1])
            if len(session.found) >= _MOST_TARGETS:
                session.found, session.size = {}, _SESSION_BYTES
            session.size += 0 if ticket.target in session.found else size
            session.found[ticket.target] = _Found(view, until, standing)
            self._answers.put(kept.content, answer, answer.size)
            self._answered.put((ticket.target, view), _Answered(kept, revision, ticket.access, until_told), size)
            self._sessions.put(ticket.session_key, session, session.size)

    def _still(self, ticket: Ticket, project_id: str) -> int | None:
        if not self.fresh or self.counters.access != ticket.access:
            return None
        self._look_at(project_id)
        return self.counters.still(project_id, ticket.moves)

    def _look_at(self, project_id: str) -> None:
        """Let the counters look at the project, too, and no more at the one that was needed longest ago."""
        if project_id in self._projects:
            return
        self._projects[project_id] = None
        self.counters.ask(project_id)
        while len(self._projects) > MOST_PROJECTS:
            self.counters.leave(self._projects.popitem(last=False)[0])


def _digest(parts: object) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()
