"""Making a connection sign in without a secret: what people ask for. The work is done by ``steps``."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from keyturn.approvals import gate
from keyturn.approvals.domain import NO_CONSENT, Consent
from keyturn.audit import conversion_events
from keyturn.audit.domain import AuditEvent
from keyturn.authz.domain import Action
from keyturn.connections import holders
from keyturn.connections.domain import Connection
from keyturn.connections.recording import record_connection_event
from keyturn.connections.stored import Stored, final
from keyturn.connections.writes import require_may_set_up
from keyturn.db.unit import Database, Tx
from keyturn.errors import NeedsAction, NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.provider import Trust
from keyturn.ports.sign_in import IdentityMethod
from keyturn.providers.registry import Providers
from keyturn.rotations import access, guards, proposals
from keyturn.rotations.adoption_check import AdoptionCheck
from keyturn.rotations.commands import Adoption
from keyturn.rotations.conversion.domain import (
    LEAST_WATCH,
    MOST_WATCH,
    USUAL_WATCH,
    Conversion,
    ConversionState,
    ended,
)
from keyturn.rotations.conversion.signing_in import sign_in_either_way
from keyturn.rotations.domain import Rotation
from keyturn.rotations.edit_lock import EditLock
from keyturn.rotations.freezes.domain import freeze_at
from keyturn.rotations.policy_writes import PolicyWriter
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.store import conversions as store
from keyturn.rotations.store import freezes, runs

_PAUSED = Schedule(30, 0, 0, "UTC")
"""Of a rotation that is set up only so that the journal has the secret: it is paused."""


@dataclass(frozen=True)
class ConversionPlan:
    """What was found before anything is done: all of it in order. ``trusted``: the application trusts the identity already."""

    trust: Trust
    trusted: bool
    trusts: int
    most_trusts: int
    command: str
    """What a person would have to type instead."""
    shared_with: int
    """Connections that sign in with the same secret: it is not removed as long as they do."""
    rotates: bool


@dataclass(frozen=True)
class _Checked:
    plan: ConversionPlan
    object_id: str
    rotation: Rotation | None
    adoption: Adoption | None


class Conversions:
    """Use cases. Only who may have connections act as the server may do any of it but look."""

    def __init__(
        self,
        database: Database,
        providers: Providers,
        clock: Clock,
        ids: Ids,
        stored: Stored,
        policies: PolicyWriter,
        adoptions: AdoptionCheck,
        edits: EditLock,
        nudge: Callable[[], None],
    ) -> None:
        self._database = database
        self._providers = providers
        self._clock = clock
        self._ids = ids
        self._stored = stored
        self._policies = policies
        self._adoptions = adoptions
        self._edits = edits
        self._nudge = nudge

    def newest(self, actor: Actor, connection_id: str) -> Conversion | None:
        """Return the newest one of the connection, whatever became of it. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            access.find(tx, actor, connection_id, Action.READ_CONNECTIONS)
            return store.newest(tx, connection_id)

    def plan(self, actor: Actor, connection_id: str, source: str) -> ConversionPlan:
        """Check all that must be so, and say what would be done. Changes nothing. Raises what is in the way, with its fix."""
        return self._check(actor, connection_id, source).plan

    def begin(
        self,
        actor: Actor,
        connection_id: str,
        source: str,
        watch: timedelta = USUAL_WATCH,
        consent: Consent = NO_CONSENT,
    ) -> tuple[Connection, Conversion]:
        """Write down that it is to be done; the rotation of its secret rests meanwhile.

        Raises as :meth:`plan` does, and ApprovalNeeded where that needs two persons, since the secret is removed in the end.
        """
        if not LEAST_WATCH <= watch <= MOST_WATCH:
            raise Refused(
                f"A connection is watched for {LEAST_WATCH.total_seconds() / 3600:g} hour to {MOST_WATCH.days} days.",
                code="connections.conversion_watch",
                fix="Choose another time.",
                field="watchHours",
            )
        checked = self._check(actor, connection_id, source)
        with self._edits.write(checked.object_id) as tx:
            connection, rotation = access.lock(tx, actor, connection_id, Action.EDIT_CONNECTIONS, checked.rotation)
            self._require_ready(tx, actor, connection, rotation)
            change = proposals.secretless(connection, rotation, source, watch)
            gate.require(tx, actor, change, consent, self._clock.now(), self._ids)
            rotated = bool(rotation and rotation.enabled)
            if rotation is None and checked.adoption:
                self._policies.enroll(tx, actor, connection, checked.adoption, _PAUSED, enabled=False)
            elif rotation:
                self._policies.reschedule(tx, actor, rotation, rotation.schedule, enabled=False)
            now, new_id, trust = self._clock.now(), self._ids.new(), checked.plan.trust
            conversion = Conversion(
                id=new_id,
                connection_id=connection.id,
                org_id=connection.org_id,
                object_id=checked.object_id,
                state=ConversionState.TRUSTING,
                source=source,
                name=f"keyturn-{new_id}",
                issuer=trust.issuer,
                subject=trust.subject,
                audience=trust.audience,
                method_before=connection.method,
                hash_before=connection.credentials_hash,
                rotated_before=rotated,
                watch_seconds=int(watch.total_seconds()),
                since=now,
                created_at=_after_last(tx, connection.id, now),
                wake_at=now,
                requested_by={"kind": actor.kind.value, "id": actor.id, "name": actor.name},
            )
            store.insert(tx, conversion)
            hours = watch.total_seconds() / 3600
            record(tx, actor, conversion_events.CONVERSION_BEGUN, connection, conversion, self._clock, watchHours=hours)
        self._nudge()
        return connection, conversion

    def go_back(self, actor: Actor, connection_id: str, *, leave: bool = False) -> tuple[Connection, Conversion]:
        """Ask that the connection signs in as before. Repeatable. Raises NotFound where nothing is under way.

        A connection that is watched is switched back by the work, which first makes sure that the secret still signs in.
        ``leave``: of one that went back, and whose application goes on trusting the identity as that cannot be removed, nothing
        more is tried; it has no effect on others.
        """
        with self._database.write() as tx:
            connection, _ = access.find(tx, actor, connection_id, Action.EDIT_CONNECTIONS)
            require_may_set_up(tx, actor, self._providers.identity_of(connection.app))
            conversion = store.under_way(tx, connection_id)
            if conversion is None:
                raise NotFound(
                    "Nothing is under way that could be taken back.",
                    code="connections.no_conversion",
                    fix="Once the watch is over, the secret is gone: enter a new one among the credentials of the connection.",
                )
            if conversion.state is not ConversionState.WITHDRAWING:
                now = self._clock.now()
                asked = {
                    "code": "conversion.taken_back",
                    "asked": True,
                    "message": f"{actor.name} asked for it.",
                }
                conversion = store.move(tx, conversion, reason=asked, tries=0, tried_at=None, wake_at=now)
            elif leave and conversion.left:
                code = (conversion.reason or {}).get("code")
                conversion = store.move(tx, conversion, **ended(self._clock.now()))
                record(tx, actor, conversion_events.CONVERSION_LEFT, connection, conversion, self._clock, code=code)
        self._nudge()
        return connection, conversion

    def _check(self, actor: Actor, connection_id: str, source: str) -> _Checked:
        with self._database.read() as tx:
            connection, rotation = access.find(tx, actor, connection_id, Action.EDIT_CONNECTIONS)
            self._require_ready(tx, actor, connection, rotation)
            others = holders.of(tx, connection.fingerprint, beside=connection.id)
        identity = self._providers.identity_of(connection.app)
        with final():
            trust = identity.trust_of(connection.tenant, source)
            by_identity = identity.credentials(connection.tenant_id, connection.client_id, source, trust)
            command = identity.how_to_trust(connection.client_id, trust)
            signed_in = sign_in_either_way(self._stored, identity, connection, by_identity, command)
            connection, token = signed_in.connection, signed_in.token
            method = self._providers.method_of(connection)
            application = method.application(connection.tenant, token, connection.client_id)
            kind = method.kind(app_id=connection.client_id)
            if application is None or kind is None:
                raise TypeError("a connection without an application of its own")
            kind.check_may_write(connection.tenant, token, application)
            known = identity.trusts(connection.tenant, token, application.object_id)
        trusted = trust in known.values()
        if not trusted:
            require_addable(identity, connection.client_id, known, trust)
        adoption = None
        if rotation is None and not signed_in.by_identity:
            credentials = self._stored.credentials(connection)
            if credentials is None:
                raise TypeError("a connection without credentials of its own")
            adoption = self._adoptions.check(credentials, connection.cloud)
            with self._database.read() as tx:
                self._policies.require_enrollable(tx, actor, connection, adoption)
        plan = ConversionPlan(
            trust,
            trusted,
            len(known),
            identity.most_trusts,
            command,
            len(others),
            rotation is not None,
        )
        return _Checked(plan, application.object_id, rotation, adoption)

    def _require_ready(self, tx: Tx, actor: Actor, connection: Connection, rotation: Rotation | None) -> None:
        identity = self._providers.identity_of(connection.app)
        require_may_set_up(tx, actor, identity)
        method = self._providers.method_of(connection)
        if method.kind() is None:
            raise Refused(
                f"A connection by {method.label} has no secret of its own that could be given up.",
                code="connections.conversion_not_needed",
                fix="This is for connections by client secret or certificate.",
            )
        guards.refuse_until_trust_is_removed(tx, connection, self._clock.now())
        windows = freezes.holding_in(tx, connection.org_id, connection.project_id)
        frozen = freeze_at(windows, self._clock.now())
        if frozen:
            raise Refused(
                f"Nothing is to be changed now: {frozen.told()}.",
                code="connections.conversion_frozen",
                fix="Begin when that is over.",
            )
        if rotation and runs.active_run(tx, rotation.id):
            raise Refused(
                "The secret of this connection is being rotated right now.",
                code="connections.conversion_rotating",
                fix="Try again when the rotation is done.",
            )


def require_addable(identity: IdentityMethod, client_id: str, known: Mapping[str, Trust], trust: Trust) -> None:
    """Raise NeedsAction where the application, which trusts what is ``known``, cannot be made to trust this, too. Pure."""
    same = next((name for name, one in known.items() if one.identity == trust.identity), None)
    if same is not None:
        raise NeedsAction(
            f"Application {client_id} trusts this identity already, as '{same}', but for the audience "
            f"'{known[same].audience}' instead of '{trust.audience}'; it can trust the same issuer and subject only once.",
            code="connections.conversion_other_audience",
            fix=f"Change that federated credential, if nobody else needs it: `{identity.how_to_change(client_id, same, trust)}`.",
            field=identity.credential_field,
        )
    if len(known) >= identity.most_trusts:
        raise NeedsAction(
            f"Application {client_id} trusts {len(known)} identities, and can trust no more than {identity.most_trusts}.",
            code="connections.conversion_full",
            fix="Remove a federated credential that nobody uses: Certificates & secrets > Federated credentials. What it trusts: "
            f"`{identity.how_to_list(client_id)}`.",
        )


def record(
    tx: Tx, actor: Actor, event: AuditEvent, connection: Connection, conversion: Conversion, clock: Clock, **facts: Any
) -> None:
    """Record an event of a conversion, in the transaction of the change that it tells of."""
    about: Mapping[str, Any] = {
        "tokenSource": conversion.source,
        "issuer": conversion.issuer,
        "subject": conversion.subject,
        "federatedCredential": conversion.name,
    }
    record_connection_event(tx, actor, event, connection, clock.now(), **about, **facts)


def _after_last(tx: Tx, connection_id: str, now: datetime) -> datetime:
    """Return now, or a moment after the last one began: by a clock that was ahead, it would count as the newest for long."""
    last = store.newest(tx, connection_id)
    return max(now, shift(last.created_at, timedelta(microseconds=1))) if last else now
