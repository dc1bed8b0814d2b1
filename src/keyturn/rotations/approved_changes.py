"""Carries out what another person approves: in their transaction, once."""

from datetime import timedelta

from keyturn.approvals import gate, store
from keyturn.approvals.domain import ApprovalRequest, ApprovalSettings, ChangeKind, Consent, RequestState
from keyturn.approvals.service import Approvals
from keyturn.authz import authorize
from keyturn.authz.domain import Action
from keyturn.connections import fingerprints, holders
from keyturn.connections import store as connection_store
from keyturn.connections.access import connection_for
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers
from keyturn.rotations import proposals
from keyturn.rotations.change_previews import CredentialFate, fates
from keyturn.rotations.commands import ConnectionChange, HandedOver
from keyturn.rotations.conversion.service import Conversions
from keyturn.rotations.domain import Rotation
from keyturn.rotations.secret_rotations.service import SecretRotations
from keyturn.rotations.secret_rotations.values import SecretRotationValues
from keyturn.rotations.self_rotation import SelfRotation
from keyturn.rotations.store import policies
from keyturn.rotations.store import secret_rotations as rotation_store


@dataclass(frozen=True)
class ChangePreview:
    """What a request would do if it were approved now. ``changed``: its subject is not as it was when it was asked."""

    credentials: tuple[CredentialFate, ...] = ()
    changed: bool = False


_GONE = "gone"
"""What no request has seen."""


@dataclass(frozen=True)
class ApprovedChanges:
    """Approves requests. The permissions of both persons are asked for again where the change is made."""

    database: Database
    clock: Clock
    sealer: Sealer
    providers: Providers
    approvals: Approvals
    connections: SelfRotation
    rotations: SecretRotations
    values: SecretRotationValues
    conversions: Conversions

    def approve(self, actor: Actor, request_id: str) -> ApprovalRequest:
        """Make the change, and return the request as it is then.

        Raises NotFound, Forbidden for who may not decide it, and Refused when it was decided, has expired, or is about what has
        changed since; or as the change itself does. Then the request waits as before.
        """
        with self.database.read() as tx:
            request = store.get(tx, actor.org_id, request_id)
            if request is None:
                raise gate.missing(request_id)
            gate.require_decider(tx, actor, request)
            gate.require_open(request, self.clock.now())  # before the change says what it finds since
        self._carry_out(actor, request)
        return self.approvals.get(actor, request_id)

    def _carry_out(self, actor: Actor, request: ApprovalRequest) -> None:
        consent, of, given = Consent(request.id), request.subject_id, request.parameters
        match request.kind:
            case ChangeKind.CONNECTION_LEAKED:
                self.connections.rotate_now(actor, of, leaked=True, consent=consent)
            case ChangeKind.ROTATION_LEAKED:
                self.rotations.rotate(actor, of, leaked=True, consent=consent)
            case ChangeKind.DELETE_CONNECTION:
                self.connections.delete(actor, of, revoke=given["revokeCredentials"], consent=consent)
            case ChangeKind.DELETE_ROTATION:
                revoke, delete_secrets = given["revokeGeneratedCredentials"], given["deleteSecrets"]
                self.rotations.delete(actor, of, delete_secrets=delete_secrets, revoke=revoke, consent=consent)
            case ChangeKind.HAND_OVER:
                self.values.hand_over(actor, of, self._handed_over(request), consent)
            case ChangeKind.RELEASE:
                self.values.release(actor, of, given["keyId"], confirmed=given["confirmed"], consent=consent)
            case ChangeKind.CREDENTIALS:
                self.connections.update(actor, of, self._new_credentials(actor, request), consent)
            case ChangeKind.SECRETLESS:
                watch = timedelta(hours=given["watchHours"])
                self.conversions.begin(actor, of, given["tokenSource"], watch, consent)
            case ChangeKind.LOOSEN:
                self.approvals.change_rules(actor, request.project_id, ApprovalSettings(**given), consent)

    def _handed_over(self, request: ApprovalRequest) -> HandedOver:
        return HandedOver(request.parameters["keyId"], self._value(request))

    def _new_credentials(self, actor: Actor, request: ApprovalRequest) -> ConnectionChange:
        with self.database.read() as tx:
            connection = connection_for(tx, actor, request.subject_id, Action.EDIT_CONNECTIONS)
        given = request.parameters
        method = self.providers.method(connection.app, given.get("method", connection.method))
        return ConnectionChange(
            credentials=method.of_value(given["tenantId"], given["clientId"], self._value(request)),
            move_along=given["moveOthersAlong"],
            key_id=given.get("keyId"),
            key_confirmed=given["confirmKeyId"],
        )

    def _value(self, request: ApprovalRequest) -> Plaintext:
        if request.value is None:
            raise Refused(
                f"The request is {request.state_at(self.clock.now()).value}, and its secret is forgotten.",
                code="approvals.decided",
                fix="Ask anew if it is still wanted.",
            )
        return self.sealer.open(request.value, store.place_of(request.id))

    # --- before -------------------------------------------------------------------------------------------------------

    def preview(self, actor: Actor, request: ApprovalRequest) -> ChangePreview:
        """Say what becomes of each credential. Nothing for a request that does not wait, or whose subject is gone."""
        if request.state is not RequestState.PENDING or request.kind is ChangeKind.LOOSEN:
            return ChangePreview()
        with self.database.read() as tx:
            if not authorize.is_allowed(tx, actor, request.action, request.scope):
                return ChangePreview()
            return self._preview(tx, request)

    def _preview(self, tx: Tx, request: ApprovalRequest) -> ChangePreview:
        rotation, goes_on, seen = self._subject(tx, request)
        if rotation is None:
            return ChangePreview(changed=request.seen != seen)
        of_it = fates(tx, rotation, request.kind, request.parameters, self.clock.now(), goes_on=goes_on)
        return ChangePreview(of_it, request.seen != seen)

    def _subject(self, tx: Tx, request: ApprovalRequest) -> tuple[Rotation | None, bool, str]:
        """Return the rotation, whether it goes on for others, and what the request would have to have seen."""
        if request.kind.of_connection:
            rotation = policies.of_connection(tx, request.subject_id)
            connection = connection_store.get(tx, request.subject_id)
            if connection is None:
                return rotation, False, _GONE
            mark = fingerprints.known_fingerprint(connection)
            goes_on = bool(holders.of(tx, mark, beside=request.subject_id)) if mark else False
            if request.kind is ChangeKind.CREDENTIALS:
                return rotation, goes_on, proposals.seen_credentials(connection, rotation)
            return rotation, goes_on, proposals.state_seen(rotation)
        view = rotation_store.view(tx, request.subject_id)
        if view is None:
            return None, False, _GONE
        rotation = view.rotation
        goes_on = len(rotation_store.of_rotation(tx, rotation.id)) > 1
        if request.kind in {ChangeKind.HAND_OVER, ChangeKind.RELEASE}:
            return rotation, goes_on, rotation.id
        return rotation, goes_on, proposals.state_seen(rotation)
