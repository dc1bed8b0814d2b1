"""The keys of issuers, kept for a while: asked for again when one is missing, and not more often than now and then.

A stranger can send a token that names a key nobody has. That must not make this server ask the issuer each time.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from keyturn.identities.bindings import TokenRefusal
from keyturn.identities.signed_tokens import Key, UnprovenToken, key_for
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock

FRESH = timedelta(hours=1)
"""For so long keys are used without asking again: a key that the issuer took back is refused after that."""
STALE = timedelta(hours=6)
"""For so long they are used while the issuer does not answer."""
AGAIN = timedelta(seconds=30)
"""So long at least lies between two questions to one issuer."""
MOST_ISSUERS = 256

Fetch = Callable[[], Sequence[Key]]


@dataclass
class _Issuer:
    """What is known of one issuer. ``failure`` is why the last question had no answer."""

    keys: Sequence[Key] = ()
    fetched_at: datetime | None = None
    asked_at: datetime | None = None
    failure: str = ""
    asking: threading.Lock = field(default_factory=threading.Lock)


class IssuerKeys:
    """For any number of threads; one at a time asks an issuer. ``guard`` is called before waiting for it, and may raise."""

    def __init__(self, clock: Clock, guard: Callable[[], None], again: timedelta = AGAIN) -> None:
        """``again`` is how long at least lies between two questions to one issuer."""
        self._clock = clock
        self._guard = guard
        self._again = again
        self._issuers: OrderedDict[str, _Issuer] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, place: str, token: UnprovenToken, fetch: Fetch) -> Key:
        """Return the key that the token is signed with, of the issuer at ``place``, whose list ``fetch`` brings.

        Raises TokenRefusal when there is no such key, or no list; what ``fetch`` raises otherwise is passed on.
        """
        issuer = self._issuer(place)
        key = key_for(token, issuer.keys)
        if key is not None and _within(issuer.fetched_at, self._clock.now(), FRESH):
            return key
        if key is not None and _within(issuer.fetched_at, self._clock.now(), STALE) and issuer.asking.locked():
            return key  # somebody asks at this moment: whose key is known need not wait for that
        if not _within(issuer.asked_at, self._clock.now(), self._again):
            self._guard()
            with issuer.asking:
                if not _within(issuer.asked_at, self._clock.now(), self._again):  # or somebody asked meanwhile
                    self._ask(issuer, fetch)
        if not _within(issuer.fetched_at, self._clock.now(), STALE):
            raise TokenRefusal("keys", issuer.failure or "the issuer was not asked yet")
        key = key_for(token, issuer.keys)
        if key is None:
            raise TokenRefusal("key", "the issuer has no such key")
        return key

    def _ask(self, issuer: _Issuer, fetch: Fetch) -> None:
        try:
            issuer.keys = fetch()
        except TokenRefusal as error:
            issuer.failure = error.shown
        else:
            issuer.fetched_at, issuer.failure = self._clock.now(), ""
        # Only now: those who wait for this answer must not take the question for one that was answered before.
        issuer.asked_at = self._clock.now()

    def _issuer(self, place: str) -> _Issuer:
        with self._lock:
            issuer = self._issuers.setdefault(place, _Issuer())
            self._issuers.move_to_end(place)
            while len(self._issuers) > MOST_ISSUERS:
                self._issuers.popitem(last=False)
            return issuer


def _within(moment: datetime | None, now: datetime, span: timedelta) -> bool:
    """Say whether the moment is less than the span ago. One that lies ahead, after the clock was set back, counts as not."""
    return moment is not None and timedelta(0) <= now - moment < span
