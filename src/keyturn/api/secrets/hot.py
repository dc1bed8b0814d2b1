"""Reads of secrets on the short way: answers that were given before, and still are right.

The long way leaves here what it has found (:class:`Learner`), so there is one place that decides who gets what.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import Sequence

from keyturn.api.secrets.promises import HOLDS_FOR, Promises
from keyturn.api.secrets.sealed_answers import Openers, SealedJson, sealed_answer, sealed_list
from keyturn.api.secrets.views import consumer
from keyturn.delivery.concerns import Concern
from keyturn.delivery.hot_reads import Hit, HotAnswer, HotReads, Kept, Target, Ticket
from keyturn.delivery.reads import GroupedReadAudit
from keyturn.delivery.watch import ChangeWatch, place_in_line
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.ports.sealing import Sealer
from keyturn.rotations.promises import NOTHING_PROMISED, Promise
from keyturn.secrets.domain import Place, StoredSecret
from keyturn.secrets.read_audit import Consumer
from keyturn.secrets.reading import Found, SecretReader, read_of
from keyturn.secrets.selection import Selection
from keyturn.tokens.service import digest_of
from keyturn.web.auth import Caller
from keyturn.web.etags import matches
from keyturn.web.server.fast import Glance, Known, LongWay

_ROOTS = ("/api/v3/secrets/raw", "/api/v4/secrets")
_SETTLES_WITHIN = 0.25
"""Seconds that a request waits until a write of this process has been looked at; then it goes the long way."""
_MADE_WITHIN = 1.0
"""Seconds that a request waits for an answer that another one is making the long way; then it makes its own."""
MOST_REFERRING = 256 * 1024
"""Bytes of an answer with references: a few can make much of little, which would keep others waiting each time."""
_WAIT = re.compile(rb"(?:^|&)wait=([1-9]|[1-5][0-9]|60)(?=&|$)")


class Learner:
    """Keeps what the long way has answered."""

    def __init__(self, hot: HotReads[Promise], reader: SecretReader, sealer: Sealer) -> None:
        self._hot = hot
        self._reader = reader
        self._sealer = sealer

    def learn(
        self,
        caller: Caller,
        actor: Actor,
        seen: Found | Selection,
        etag: str,
        concern: Concern,
        promise: Promise = NOTHING_PROMISED,
    ) -> None:
        """Keep the answer that was made of this, if it is one that is simple enough and nothing has moved meanwhile."""
        ticket = caller.ticket
        if not isinstance(ticket, Ticket) or caller.token is None:
            return
        if isinstance(seen, Selection) and (seen.reading.metadata or not seen.is_small):
            return
        kind = "list" if isinstance(seen, Selection) else "one"
        content = f"{kind}:{seen.fingerprint}"
        token = digest_of(caller.token)
        holds = None if promise is NOTHING_PROMISED else HOLDS_FOR
        kept = Kept(actor, seen.place.project_id, content, concern, promise, holds)
        self._hot.learn(ticket, token, kept, lambda: self._sealed(actor, seen, etag))

    def _sealed(self, actor: Actor, seen: Found | Selection, etag: str) -> HotAnswer | None:
        try:
            sealed, size = self._list(actor, seen) if isinstance(seen, Selection) else self._one(actor, seen)
            referring = bool(seen.referring_ids) if isinstance(seen, Selection) else seen.expand
            if referring and len(sealed.json()) > MOST_REFERRING:
                return None
        except KeyturnError:  # the long way says so each time
            return None
        return HotAnswer(etag, read_of(seen), sealed.json, sealed.size + size)

    def _one(self, actor: Actor, found: Found) -> tuple[SealedJson, int]:
        openers, size = self._openers(actor, found.place, [(found.row, found.place)] if found.expand else [])
        sealed = sealed_answer(self._sealer, found.row, found.place, found.tags, openers, view=found.view)
        return sealed, found.row.size + size

    def _list(self, actor: Actor, selection: Selection) -> tuple[SealedJson, int]:
        rows = [(group, self._reader.rows(group.version_ids)) for group in selection.groups]
        each = [row for _, of_group in rows for row in of_group]
        ids = set(selection.referring_ids)
        referring = [(row, selection.located[row.folder_id].place) for row in each if row.version_id in ids]
        openers, size = self._openers(actor, selection.place, referring)
        return sealed_list(self._sealer, selection, rows, openers), size + sum(row.size for row in each)

    def _openers(
        self, actor: Actor, place: Place, referring: Sequence[tuple[StoredSecret, Place]]
    ) -> tuple[Openers, int]:
        """Return what opens the values that refer to others, by the ids of their versions, and the bytes that it holds."""
        if not referring:
            return {}, 0
        pairs = self._reader.openers(actor, place.project_id, referring)
        openers = {row.version_id: opener for (row, _), (opener, _) in zip(referring, pairs, strict=True)}
        return openers, sum(size for _, size in pairs)


class HotSecrets:
    """``KnownAnswers`` of the web server. For one event loop."""

    def __init__(self, hot: HotReads[Promise], audit: GroupedReadAudit, promises: Promises, watch: ChangeWatch) -> None:
        self._hot = hot
        self._promises = promises
        self._audit = audit
        self._watch = watch
        self._waiting: list[asyncio.Future[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._made: dict[tuple[Target, bytes], asyncio.Future[None]] = {}
        """What is being made the long way, by target and rights: of thousands who are woken together one makes it for all."""
        hot.counters.listen(self._looked)

    def concerns(self, path: str, query: bytes) -> bool:
        """As the protocol says."""
        return path.startswith(_ROOTS)

    async def answer(self, glance: Glance) -> Known | LongWay:
        """As the protocol says."""
        who = consumer(glance.ip, glance.instance, glance.refresh_interval, glance.in_use)
        wait, query = _wait_of(glance.query)
        session_key, target = hashlib.sha256(glance.authorization).digest(), (glance.path, query)
        waited, followed, has_place = 0.0, False, False
        try:
            while True:
                known = self._hot.known(session_key, target, glance.ip)
                hit = known or await self._once_settled(session_key, target, glance.ip)
                if hit is None:
                    view = self._hot.view(session_key, target)
                    if view is None or not await self._is_made((target, view), followed):
                        way = self._long_way(session_key, target, view, waited)
                        given, has_place = self._with_place(way, has_place)
                        return given
                    followed = True
                    continue
                tags = glance.if_none_match
                if tags != hit.answer.etag and not (tags and matches(hit.answer.etag, [tags])):
                    given = await self._values(glance, session_key, target, hit, who, waited)
                    given, has_place = self._with_place(given, has_place)
                    return given
                if hit.answer.read is not None and not waited:
                    self._audit.unchanged(hit.actor, who, hit.answer.read)
                if waited < wait:
                    if not has_place:
                        self._watch.enter()
                        has_place = True
                    began, claim = time.monotonic(), hit.claim(glance.ip, glance.request_id)
                    place = place_in_line(hit.actor.id, glance.instance or glance.request_id)
                    again = await self._watch.news(claim, hit.answered.kept.concern, place, wait - waited)
                    waited += time.monotonic() - began
                    if again or claim.access != self._hot.counters.access:
                        followed = False
                        continue
                return Known(304, b"", self._headers(hit, who), hit.actor.id, waited)
        finally:
            if has_place:
                self._watch.leave()

    def _with_place(self, given: Known | LongWay, has_place: bool) -> tuple[Known | LongWay, bool]:
        """Keep the place of who has waited until the long way has answered. Return also whether it is to be given back here."""
        if not has_place or isinstance(given, Known):
            return given, has_place

        def over() -> None:
            given.over()
            self._watch.leave()

        return LongWay(given.ticket, given.waited, over), False

    def _long_way(self, session_key: bytes, target: Target, view: bytes | None, waited: float) -> LongWay:
        """Let the request go the long way. Until it has come to its end, who would get the same answer waits for it."""
        ticket = self._hot.ticket(session_key, target)
        if ticket is None or view is None or (target, view) in self._made:
            return LongWay(ticket, waited)
        made = self._made[target, view] = asyncio.get_running_loop().create_future()

        def over() -> None:
            del self._made[target, view]
            made.set_result(None)

        return LongWay(ticket, waited, over)

    async def _is_made(self, answer: tuple[Target, bytes], followed: bool) -> bool:
        """Wait for an answer that another request is making; False: none is, or the one that was waited for was of no use."""
        made = self._made.get(answer)
        if made is None or followed:
            return False
        await asyncio.wait({made}, timeout=_MADE_WITHIN)
        return True

    async def _values(
        self, glance: Glance, session_key: bytes, target: Target, hit: Hit[Promise], who: Consumer, waited: float
    ) -> Known | LongWay:
        """Answer with the values, once it is written down who gets them."""
        if hit.answer.read is not None:
            first = self._audit.begin(hit.actor, who, hit.answer.read, glance.request_id)
            if first is not None:
                await asyncio.wrap_future(first)
                # It may have taken a while: what was right then may not be any more.
                if self._hot.known(session_key, target, glance.ip) != hit:
                    return LongWay(None, waited)
        return Known(200, hit.answer.json(), self._headers(hit, who), hit.actor.id, waited)

    def _headers(self, hit: Hit[Promise], who: Consumer) -> list[tuple[bytes, bytes]]:
        promise, etag = hit.answered.kept.told, (b"etag", hit.answer.etag.encode())
        if promise is NOTHING_PROMISED:  # as of most
            return [etag, (b"x-keyturn-refresh-after", b"%d" % self._promises.usual_pause(who.refresh_interval))]
        told = self._promises.headers(promise, who.refresh_interval)
        return [etag, *((name.encode(), text.encode()) for name, text in told.items())]

    async def _once_settled(self, session_key: bytes, target: Target, ip: str) -> Hit[Promise] | None:
        """Look for the answer again, once it is known what this process has written; None at once where that is known."""
        counters = self._hot.counters
        if not (counters.pending or (counters.confirmed and not self._hot.fresh)):
            return None
        await self._settled()
        return self._hot.known(session_key, target, ip)

    async def _settled(self) -> None:
        self._loop = asyncio.get_running_loop()
        looked = self._loop.create_future()
        self._waiting.append(looked)
        if self._hot.counters.pending:
            await asyncio.wait({looked}, timeout=_SETTLES_WITHIN)

    def _looked(self) -> None:
        """Called by the thread of the counters."""
        if self._waiting and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for looked in waiting:
            if not looked.done():
                looked.set_result(None)


def _wait_of(query: bytes) -> tuple[int, bytes]:
    """Return for how many seconds a query wants to be held back, and the rest of it. What is wrong with it stays in the rest."""
    if b"wait=" not in query:
        return 0, query
    found = _WAIT.search(query)
    if found is None:
        return 0, query
    rest = query[: found.start()] + query[found.end() :]
    return (0, query) if b"wait=" in rest else (int(found[1]), rest.removeprefix(b"&"))
