"""Removing what an application was made to trust, once its connection signs in as before again."""

from collections.abc import Mapping
from datetime import datetime

from keyturn.connections import claim_store
from keyturn.connections.stored import Stored
from keyturn.db.unit import Database
from keyturn.errors import Upstream
from keyturn.kit.clock_difference import provider_time
from keyturn.kit.moments import not_after, shift
from keyturn.ports.clock import Clock
from keyturn.providers.registry import Providers
from keyturn.rotations.conversion.domain import GIVE_UP, Conversion, ended, known_since
from keyturn.rotations.conversion.reasons import not_removed, removable
from keyturn.rotations.conversion.turn import Turn
from keyturn.rotations.store import conversions as store
from keyturn.settings.model import Pace


class TrustRemoval:
    """The steps of a conversion that is being withdrawn."""

    def __init__(self, database: Database, providers: Providers, clock: Clock, stored: Stored, pace: Pace) -> None:
        self._database = database
        self._providers = providers
        self._clock = clock
        self._stored = stored
        self._pace = pace

    def remove(self, turn: Turn) -> None:
        """Remove what the application was made to trust, until it is seen to be gone twice; others that sign in by it keep it."""
        told, connection, identity = turn.conversion, turn.connection, turn.identity
        if self._is_relied_upon(turn):
            with self._database.write() as tx:
                store.move(tx, told, reason=dict(told.reason or {}) | {"left": told.name}, **ended(self._clock.now()))
            return
        try:
            _, token = self._stored.sign_in(connection)
            there = told.name in identity.trusts(connection.tenant, token, told.object_id)
            if there:
                identity.remove_trust(connection.tenant, token, told.object_id, told.name)
        except Upstream as error:
            self._failed(told, error)
            return
        self._looked(told, there=there)

    def end(self, turn: Turn) -> None:
        """Nothing of it is left."""
        with self._database.write() as tx:
            store.move(tx, turn.conversion, **ended(self._clock.now()))

    def _looked(self, told: Conversion, *, there: bool) -> None:
        """Before every replica shows what was asked for last, nothing is seen to be gone: its answer may have been lost."""
        now = self._clock.now()
        by_provider = provider_time(now, self._providers.clock_ahead())
        settles_at = told.settles_at and not_after(told.settles_at, by_provider + self._pace.settle)
        settled = settles_at is None or settles_at <= by_provider
        tries = _absences(told, now) if settled and not there else 0
        with self._database.write() as tx:
            store.move(tx, told, tries=tries, tried_at=now, settles_at=settles_at, reason=removable(told))

    def _failed(self, told: Conversion, error: Upstream) -> None:
        now, clock_is_right = self._clock.now(), self._stored.clock_is_right()
        given_up = clock_is_right and now >= shift(told.since, GIVE_UP)
        again = {"tries": 0, "tried_at": now, "since": known_since(told, now, clock_is_right=clock_is_right)}
        with self._database.write() as tx:
            store.move(tx, told, reason=not_removed(told, error), **(ended(now) if given_up else again))

    def _is_relied_upon(self, turn: Turn) -> bool:
        """Whether another connection signs in by the same trust: an application can hold it only once."""
        told, own = turn.conversion, turn.connection
        with self._database.read() as tx:
            others = claim_store.signing_in_by(tx, own.cloud, own.client_id.lower(), turn.identity.key)
            on_the_way = store.relied_upon(tx, told)
        relying = (facts for other_id, facts in others.items() if other_id != own.id)
        return on_the_way or any(_presents_the_same(facts, told) for facts in relying)


def _absences(told: Conversion, now: datetime) -> int:
    """How many looks in a row do not find it, this one included. Those of which a wrong clock noted the moment do not count."""
    return 1 if told.tried_at and told.tried_at > now else told.tries + 1


def _presents_the_same(facts: Mapping[str, object], told: Conversion) -> bool:
    """Whether a connection signs in by what was trusted. What its source presents may be newer than its facts say."""
    presented = (facts.get("issuer"), facts.get("subject"))
    return facts.get("tokenSource") == told.source or presented == (told.issuer, told.subject)
