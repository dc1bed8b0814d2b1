"""The work on a conversion: each step is one call of the provider followed by one transaction, and harmless to repeat.

Killing it anywhere is harmless: what the application is made to trust has a name that was written down before it was asked for,
so it is found again; and each transaction counts only if nobody went on meanwhile.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from keyturn.audit import conversion_events
from keyturn.connections import health, holders, sealed
from keyturn.connections import store as connections
from keyturn.connections.domain import Connection, VerifiedCredentials
from keyturn.connections.stored import Stored
from keyturn.connections.writes import ConnectionWriter
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Database, Tx
from keyturn.errors import NeedsAction, Refused, Retryable, Upstream
from keyturn.kit.actor import platform
from keyturn.kit.clock import iso_or_none
from keyturn.kit.clock_difference import provider_time
from keyturn.kit.moments import not_after
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer
from keyturn.ports.sign_in import Credentials
from keyturn.providers.registry import Providers
from keyturn.rotations.clock import correct_time
from keyturn.rotations.conversion.domain import (
    DOUBTS,
    PROOF_DEADLINE,
    PROOFS,
    Conversion,
    ConversionState,
    Step,
    decide,
    known_since,
    withdrawn,
)
from keyturn.rotations.conversion.outside_use import OutsideUses
from keyturn.rotations.conversion.reasons import of_use, passes, reason_of, standing, without_way_back
from keyturn.rotations.conversion.service import record, require_addable
from keyturn.rotations.conversion.signing_in import sign_in_either_way
from keyturn.rotations.conversion.turn import Turn
from keyturn.rotations.conversion.withdrawal import TrustRemoval
from keyturn.rotations.domain import Rotation, Snapshot
from keyturn.rotations.edit_lock import EditLock
from keyturn.rotations.freezes.domain import freeze_at
from keyturn.rotations.policy_writes import PolicyWriter
from keyturn.rotations.store import conversions as store
from keyturn.rotations.store import freezes, policies
from keyturn.settings.model import Pace

log = structlog.get_logger()

MAX_TURNS = 50
"""More than any stretch of work has: reached only by a defect, which must not spin for ever."""


class ConversionWork:
    """Advances conversions; safe to call for the same one from several processes at once."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        providers: Providers,
        clock: Clock,
        stored: Stored,
        writer: ConnectionWriter,
        rotations: PolicyWriter,
        edits: EditLock,
        pace: Pace,
        nudge: Callable[[], None],
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._providers = providers
        self._clock = clock
        self._stored = stored
        self._writer = writer
        self._rotations = rotations
        self._edits = edits
        self._pace = pace
        self._nudge = nudge
        self._uses = OutsideUses(database, providers, clock)
        self._removal = TrustRemoval(database, providers, clock, stored, pace)

    def advance(self, conversion_id: str) -> None:
        """Work on it until it waits or has come to its end. Repeatable."""
        for _ in range(MAX_TURNS):
            now = self._clock.now()
            with self._database.read() as tx:
                conversion = store.get(tx, conversion_id)
                connection = connections.get(tx, conversion.connection_id) if conversion else None
                if conversion is None or connection is None:
                    return
                frozen = freeze_at(freezes.holding_in(tx, connection.org_id, connection.project_id), now) is not None
            due = decide(conversion, now, self._pace.proof_spacing, frozen=frozen)
            if due is None or due.at > now:
                with self._database.write() as tx:
                    store.rest(tx, conversion, due.at if due else None)
                return
            turn = Turn(conversion, connection, self._providers.identity_of(connection.app))
            try:
                self._do(turn, due.step)
            except Refused as error:
                if error.code not in {"connections.conversion_moved", "rotation.busy"}:
                    raise
                return  # somebody else went on, or works on the application: the claim runs out soon
        log.error("conversion.does_not_rest", conversion_id=conversion_id)

    def _do(self, turn: Turn, step: Step) -> None:
        work = {
            Step.TRUST: self._trust,
            Step.PROVE: self._prove,
            Step.PUBLISH: self._publish,
            Step.LOOK: self._look,
            Step.FINISH: self._finish,
            Step.TAKE_BACK: self._take_back,
            Step.REMOVE: self._removal.remove,
            Step.END: self._removal.end,
        }[step]
        work(turn)

    # --- forwards ---------------------------------------------------------------------------------------------------

    def _trust(self, turn: Turn) -> None:
        """Have the application trust the identity, under the name that is in the row, unless it does."""
        told, connection, identity = turn.conversion, turn.connection, turn.identity
        try:
            command = identity.how_to_trust(connection.client_id, told.trust)
            token = sign_in_either_way(self._stored, identity, connection, turn.by_identity, command).token
            known = identity.trusts(connection.tenant, token, told.object_id)
            if told.trust not in known.values():
                require_addable(identity, connection.client_id, known, told.trust)
                told = self._note_request(told)
                turn = replace(turn, conversion=told)
                identity.add_trust(connection.tenant, token, told.object_id, told.name, told.trust)
        except Upstream as error:
            self._failed(turn, error)
            return
        now = self._clock.now()
        with self._database.write() as tx:
            store.move(tx, told, state=ConversionState.PROVING, since=now, tries=0, tried_at=None, reason=None)

    def _note_request(self, told: Conversion) -> Conversion:
        """Write down, before the application is asked to trust, when every replica will show that it does."""
        asked_at = provider_time(self._clock.now(), self._providers.clock_ahead())
        with self._database.write() as tx:
            return store.move(tx, told, settles_at=asked_at + self._pace.settle)

    def _prove(self, turn: Turn) -> None:
        """Sign in without the secret once more; the last time, see whether all that the connection is for can be done."""
        told, connection, identity = turn.conversion, turn.connection, turn.identity
        try:
            token = identity.sign_in(connection.tenant, turn.by_identity)
            if told.tries + 1 >= PROOFS:
                application = identity.application(connection.tenant, token, connection.client_id)
                may = self._providers.of(connection.app).capabilities(token, connection.client_id)
                identity.permission(connection.tenant, token, application, may)
        except Upstream as error:
            self._failed(turn, error)
            return
        with self._database.write() as tx:
            store.move(tx, told, tries=told.tries + 1, tried_at=self._clock.now(), reason=None)

    def _publish(self, turn: Turn) -> None:
        """Switch the connection. The watch begins by the provider's clock: by a wrong one it could be over at once."""
        told, credentials = turn.conversion, turn.by_identity
        try:
            turn.identity.sign_in(turn.connection.tenant, credentials)
        except Upstream as error:
            self._failed(turn, error)
            return
        with self._edits.write(told.object_id) as tx:
            _, connection = self._locked(tx, told)
            now = correct_time(self._clock.now(), self._providers.clock_ahead())
            verified = VerifiedCredentials(credentials, credentials, now)
            actor = platform(told.org_id)
            connection = self._writer.switch_method(tx, actor, connection, verified)
            told = store.move(tx, told, state=ConversionState.WATCHING, since=now, tries=0, tried_at=now, reason=None)
            until = told.watched_until
            record(
                tx,
                actor,
                conversion_events.CONVERSION_PUBLISHED,
                connection,
                told,
                self._clock,
                watchedUntil=iso_or_none(until),
            )

    def _look(self, turn: Turn) -> None:
        """Sign in as the connection does, and see who else signs in with the credential of before.

        What passes raises no doubt; what is refused several times leads back.

        With a clock that is wrong the watch does not end.
        """
        told = turn.conversion
        try:
            token = self._stored.sign_in_once(turn.connection)
            use = self._uses.newest(told, turn.connection, token, self._kept(told))
        except Upstream as error:
            self._doubt(turn, error)
            return
        now, tries = self._clock.now(), 0 if self._stored.clock_is_right() else 1
        seen: dict[str, Any] = {"used_at": use.at, "used_by": use.who} if use.at else {}
        method = self._providers.method(turn.connection.app, told.method_before)
        reason = standing(told) or of_use(replace(told, **seen), method.words.noun, use.trouble, now)
        with self._database.write() as tx:
            store.move(tx, told, tries=tries, tried_at=now, reason=reason, **seen)
            if turn.connection.refused_at:
                health.note_accepted(tx, turn.connection, now, turn.connection.look_at or now)

    def _doubt(self, turn: Turn, error: Upstream) -> None:
        told, may_pass = turn.conversion, passes(error)
        tries = max(told.tries, 1) if may_pass else told.tries + 1
        if tries >= DOUBTS and not may_pass:
            self._go_back(turn, reason_of(error), error)
            return
        with self._database.write() as tx:
            store.move(tx, told, tries=tries, tried_at=self._clock.now(), reason=standing(told) or reason_of(error))

    def _finish(self, turn: Turn) -> None:
        """End the rotation, whose work removes the secret; where others sign in with it, it goes on for them."""
        told = turn.conversion
        with self._edits.write(told.object_id) as tx:
            rotation, connection = self._locked(tx, told)
            actor, held = platform(told.org_id), 0
            if rotation:
                current = Snapshot(rotation, journal.live(tx, rotation.id)).current
                held = len(holders.of(tx, current.fingerprint)) if current else 0
                if self._rotations.hand_over(tx, actor, _restored(rotation, told)) is None:
                    self._rotations.cancel(tx, actor, rotation, "the connection signs in without it")
                    self._rotations.retire(tx, actor, rotation, keep=lambda _row: False)
            now = self._clock.now()
            told = store.move(
                tx, told, state=ConversionState.DONE, since=now, ended_at=now, wake_at=None, tries=0, reason=None
            )
            record(tx, actor, conversion_events.CONVERSION_FINISHED, connection, told, self._clock, heldBy=held)
        self._nudge()

    # --- back -------------------------------------------------------------------------------------------------------

    def _failed(self, turn: Turn, error: Upstream) -> None:
        """Before anything was switched: try again for a while, then take back what was done."""
        told, now = turn.conversion, self._clock.now()
        may_pass = isinstance(error, Retryable)
        if may_pass and now < not_after(told.since, now) + PROOF_DEADLINE:
            with self._database.write() as tx:
                since = known_since(told, now, clock_is_right=self._stored.clock_is_right())
                store.move(tx, told, tries=0, tried_at=now, since=since, reason=reason_of(error))
            return
        self._go_back(turn, reason_of(error))

    def _take_back(self, turn: Turn) -> None:
        """Go back, as somebody asked."""
        self._go_back(turn, turn.conversion.reason or {})

    def _go_back(self, turn: Turn, why: Mapping[str, object], refused: Upstream | None = None) -> None:
        """Let the connection sign in as before, if it was switched and the secret still works; then undo the trust.

        ``refused`` is why the connection does not sign in as it is.
        """
        told = turn.conversion
        secret = self._kept(told) if told.state is ConversionState.WATCHING else None
        if told.state is ConversionState.WATCHING:
            problem = self._still_works(turn, secret)
            if problem is not None:
                self._stay(turn, why, problem, refused)
                return
        with self._edits.write(told.object_id) as tx:
            rotation, connection = self._locked(tx, told)
            actor, now = platform(told.org_id), self._clock.now()
            if secret is not None:
                before = self._opened(turn, secret)
                verified = VerifiedCredentials(before, before, now)
                connection = self._writer.switch_method(tx, actor, connection, verified, told.hash_before)
            if rotation:
                self._rotations.reschedule(tx, actor, rotation, rotation.schedule, enabled=told.rotated_before)
            told = store.move(tx, told, reason=dict(why) or None, **withdrawn(told, now))
            asked, code = bool(why.get("asked")), why.get("code")
            record(
                tx, actor, conversion_events.CONVERSION_WITHDRAWN, connection, told, self._clock, code=code, asked=asked
            )
        self._nudge()

    def _stay(self, turn: Turn, why: Mapping[str, object], problem: Upstream, refused: Upstream | None) -> None:
        """Neither way signs in, or the one of before does not: going back would help nobody. It is tried again."""
        reason = without_way_back(turn.conversion, why, problem)
        now = self._clock.now()
        with self._database.write() as tx:
            store.move(tx, turn.conversion, tries=1, tried_at=now, reason=reason)
            if refused and self._stored.clock_is_right():
                health.note_refused(tx, turn.connection, refused, now)

    def _kept(self, told: Conversion) -> Credential | None:
        with self._database.read() as tx:
            rotation = policies.of_connection(tx, told.connection_id)
            return Snapshot(rotation, journal.live(tx, rotation.id)).current if rotation else None

    def _opened(self, turn: Turn, row: Credential) -> Credentials:
        method = self._providers.method(turn.connection.app, turn.conversion.method_before)
        if row.value is None:
            raise RuntimeError("a current credential without a value")
        value = self._sealer.open(row.value, row.seal_context)
        return method.of_value(turn.connection.tenant_id, turn.connection.client_id, value)

    def _still_works(self, turn: Turn, row: Credential | None) -> Upstream | None:
        """Sign in with the secret of before. Returns why not."""
        if row is None:
            return NeedsAction(
                "The secret of before is not in the journal any more.",
                code="connections.conversion_no_secret",
                fix="Make a new one in the portal, and enter it on the page of the connection: Edit Credentials.",
            )
        method = self._providers.method(turn.connection.app, turn.conversion.method_before)
        try:
            method.sign_in(turn.connection.tenant, self._opened(turn, row))
        except Upstream as error:
            return error
        return None

    # --- all --------------------------------------------------------------------------------------------------------

    def _locked(self, tx: Tx, told: Conversion) -> tuple[Rotation | None, Connection]:
        """Keep the rotation and the connection from changes, in the order of publish. Raises Refused where they are gone."""
        rotation = policies.of_connection(tx, told.connection_id, lock=True)
        connection = connections.get(tx, told.connection_id, lock=True)
        if connection is None or not sealed.is_as_sealed(self._sealer, connection):
            raise Refused(
                "The connection is not there any more.",
                code="connections.conversion_moved",
                fix="Nothing has to be done: with it went what it was to become.",
            )
        return rotation, connection


def _restored(rotation: Rotation, told: Conversion) -> Rotation:
    return replace(rotation, enabled=told.rotated_before)
