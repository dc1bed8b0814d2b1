"""Reads of secrets on the short way: answers that were given before, and still are right.

The long way leaves here what it has found (:class:`Learner`), so there is one place that decides who gets what.
"""

import asyncio
import hashlib

from keyturn.api.secrets.promises import HOLDS_FOR, Promises
from keyturn.api.secrets.sealed_answers import SealedJson, sealed_answer, sealed_list
from keyturn.api.secrets.views import consumer
from keyturn.delivery.hot_reads import HotAnswer, HotReads, Kept, Ticket
from keyturn.delivery.reads import GroupedReadAudit
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.ports.sealing import Sealer
from keyturn.rotations.promises import NOTHING_PROMISED, Promise
from keyturn.secrets.reading import Found, SecretReader, read_of
from keyturn.secrets.selection import Selection
from keyturn.tokens.service import digest_of
from keyturn.web.auth import Caller
from keyturn.web.etags import matches
from keyturn.web.server.fast import Glance, Known

_ROOTS = ("/api/v3/secrets/raw", "/api/v4/secrets")
_SETTLES_WITHIN = 0.25
"""Seconds that a request waits until a write of this process has been looked at; then it goes the long way."""


class Learner:
    """Keeps what the long way has answered."""

    def __init__(self, hot: HotReads[Promise], reader: SecretReader, sealer: Sealer) -> None:
        self._hot = hot
        self._reader = reader
        self._sealer = sealer

    def learn(
        self, caller: Caller, actor: Actor, seen: Found | Selection, etag: str, promise: Promise = NOTHING_PROMISED
    ) -> None:
        """Keep the answer that was made of this, if it is one that is simple enough and nothing has moved meanwhile."""
        ticket = caller.ticket
        if not isinstance(ticket, Ticket) or caller.token is None:
            return
        if isinstance(seen, Selection):
            if seen.referring_ids or seen.reading.metadata or not seen.is_small:
                return
        elif seen.expand:
            return
        kind = "list" if isinstance(seen, Selection) else "one"
        content = f"{kind}:{seen.fingerprint}"
        token = digest_of(caller.token)
        kept = Kept(actor, seen.place.project_id, content, promise, None if promise is NOTHING_PROMISED else HOLDS_FOR)
        self._hot.learn(ticket, token, kept, lambda: self._sealed(seen, etag))

    def _sealed(self, seen: Found | Selection, etag: str) -> HotAnswer | None:
        try:
            sealed, size = self._list(seen) if isinstance(seen, Selection) else self._one(seen)
        except KeyturnError:  # the long way says so each time
            return None
        return HotAnswer(etag, read_of(seen), sealed.json, sealed.size + size)

    def _one(self, found: Found) -> tuple[SealedJson, int]:
        return sealed_answer(self._sealer, found.row, found.place, found.tags, view=found.view), found.row.size

    def _list(self, selection: Selection) -> tuple[SealedJson, int]:
        rows = [(group, self._reader.rows(group.version_ids)) for group in selection.groups]
        return sealed_list(self._sealer, selection, rows), sum(row.size for _, each in rows for row in each)


class HotSecrets:
    """``KnownAnswers`` of the web server. For one event loop."""

    def __init__(self, hot: HotReads[Promise], audit: GroupedReadAudit, promises: Promises) -> None:
        self._hot = hot
        self._promises = promises
        self._audit = audit
        self._waiting: list[asyncio.Future[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        hot.counters.listen(self._looked)

    def concerns(self, path: str, query: bytes) -> bool:
        """As the protocol says. An answer that is waited for goes the long way."""
        return path.startswith(_ROOTS) and b"wait=" not in query

    async def answer(self, glance: Glance) -> Known | object | None:
        """As the protocol says."""
        try:
            return await self._answer(glance)
        except KeyturnError:  # the long way comes to the same, and says it in full
            return None

    async def _answer(self, glance: Glance) -> Known | object | None:
        who = consumer(glance.ip, glance.instance, glance.refresh_interval, glance.in_use)
        session_key, target = hashlib.sha256(glance.authorization).digest(), (glance.path, glance.query)
        if self._hot.counters.pending:
            await self._settled()
        found = self._hot.known(session_key, target, glance.ip)
        if found is None:
            return self._hot.ticket(session_key, target)
        actor, answer, promise = found
        told = self._promises.headers(promise, who.refresh_interval)
        headers = [(b"etag", answer.etag.encode()), *((name.encode(), text.encode()) for name, text in told.items())]
        if glance.if_none_match and matches(answer.etag, [glance.if_none_match]):
            if answer.read is not None:
                self._audit.unchanged(actor, who, answer.read)
            return Known(304, b"", headers, actor.id)
        if answer.read is not None:
            first = self._audit.begin(actor, who, answer.read, glance.request_id)
            if first is not None:
                await asyncio.wrap_future(first)
                # It may have taken a while: what was right then may not be any more.
                if self._hot.known(session_key, target, glance.ip) != found:
                    return None
        return Known(200, answer.json(), headers, actor.id)

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
