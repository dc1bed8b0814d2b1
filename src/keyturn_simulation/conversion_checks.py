"""14: what holds while a connection gives its secret up, by the tables and by what Entra saw.

It is switched only when it has signed in without the secret as often as is promised; the secret is kept until the watch is over
and it has signed in without it once more; until then it can go back, and does where somebody asked for it.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from keyturn.rotations.conversion.domain import PROOFS, ConversionState
from keyturn_simulation.invariants import Broken
from keyturn_simulation.platform_tokens import RENAMED, SOURCES, trust_of
from keyturn_simulation.world import World

_ONE = (
    "SELECT v.state, v.object_id, v.issuer, v.source, v.watch_seconds, c.name, v.reason"
    " FROM conversions v JOIN app_connections c ON c.id = v.connection_id WHERE v.id = ?"
)
_WITHOUT_WAY_BACK = (
    "SELECT c.name, v.state FROM conversions v JOIN app_connections c ON c.id = v.connection_id"
    " LEFT JOIN rotations r ON r.connection_id = c.id AND r.kind = 'connection' AND NOT r.retired"
    " LEFT JOIN credentials k ON k.rotation_id = r.id AND k.state = 'current'"
    " WHERE v.state IN ('trusting', 'proving', 'watching')"
    " AND r.id IS NOT NULL AND (k.id IS NULL OR k.value IS NULL OR r.enabled)"
)
"""Connections that are being converted and whose credential is not kept, or may be replaced. One that had none that signs in,
and is led to an identity that its application trusts already, has no rotation."""


@dataclass
class ConversionChecks:
    """``note`` is told of each change of a conversion."""

    world: World
    raw: sqlite3.Connection
    _states: dict[str, str] = field(default_factory=dict)
    _begun: dict[str, datetime] = field(default_factory=dict)
    _published: dict[str, datetime] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def note(self, conversion_id: str) -> str | None:
        """Judge what changed; return the application's object id if the state did. Raises Broken."""
        row = self.raw.execute(_ONE, (conversion_id,)).fetchone()
        if row is None:
            return None
        state, object_id, issuer, source, watch, name, reason = row
        self._note_request(conversion_id, json.loads(reason or "null") or {})
        before, now = self._states.get(conversion_id), self.world.clock.now()
        if state == before:
            return None
        self._states[conversion_id] = state
        proofs = self._sign_ins(object_id, issuer, SOURCES[source])
        if before is None:
            self._begun[conversion_id] = now
        elif state == ConversionState.WATCHING:
            self._published[conversion_id] = now
            since = [at for at in proofs if at >= self._begun[conversion_id].timestamp()]
            if len(since) < PROOFS:
                raise Broken(f"14: {name} was switched after {len(since)} sign-ins without its secret")
        elif state == ConversionState.DONE:
            if conversion_id in self._asked:
                raise Broken(f"14: {name} gives its secret up, though somebody asked to go back to it")
            until = self._published[conversion_id] + timedelta(seconds=watch) - self.world.clocks_apart
            if now < until:
                raise Broken(f"14: {name} gives its secret up, which was to be kept until {until}")
            if not any(at >= until.timestamp() for at in proofs):
                raise Broken(f"14: {name} gives its secret up without having signed in without it since {until}")
        return str(object_id)

    def always(self) -> None:
        """Check that whoever is on the way can go back."""
        for name, state in self.raw.execute(_WITHOUT_WAY_BACK):
            raise Broken(f"14: {name} is {state}, and could not go back to its credential")

    def _note_request(self, conversion_id: str, reason: Mapping[str, Any]) -> None:
        """Remember who asked to go back, until they are told that there is no way: the secret itself is refused."""
        if reason.get("asked"):
            self._asked.add(conversion_id)
        elif reason.get("asked_in_vain"):
            self._asked.discard(conversion_id)

    def _sign_ins(self, object_id: str, issuer: str, subject: str) -> list[float]:
        """When the application was signed in to by this trust, or by that of the subject which its source may present instead."""
        app_id = self.world.emulator.admin.application(object_id).app_id
        self.world.collect_values()
        ids = self.world.issued.ids_of_trusts({trust_of(app_id, issuer, name) for name in (subject, RENAMED)})
        accepted = self.world.emulator.ledger.query(operation="token")
        return [entry.at for entry in accepted if entry.status == 200 and entry.auth_key_id in ids]
