"""What a deletion would do, or the replacement of what leaked: what goes, what stays valid, who uses it. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from keyturn.approvals import gate
from keyturn.approvals.domain import ChangeKind, ProposedChange
from keyturn.authz.domain import Action
from keyturn.connections import holders
from keyturn.connections.domain import Connection
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Database, Tx
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.ports.clock import Clock
from keyturn.rotations import access, proposals
from keyturn.rotations.domain import Rotation
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.consumers import ConsumedSecret, consumed_secrets
from keyturn.rotations.secret_rotations.domain import RotatedThrough, SecretRotationView, SharedWith
from keyturn.rotations.secret_rotations.kept_value import KeptValue, kept_value
from keyturn.rotations.store import secret_rotations as store


@dataclass(frozen=True)
class CredentialFate:
    """A credential of the subject, and what becomes of it: ``removed_at`` None: it stays valid until it ends."""

    credential: Credential
    removed_at: datetime | None


@dataclass(frozen=True)
class ConnectionPreview:
    """Of a change of a connection. As long as something is ``rotated`` through it, it is not deleted.

    ``others`` is how many other connections sign in with the same credential.
    """

    connection: Connection
    credentials: tuple[CredentialFate, ...]
    rotated: RotatedThrough
    others: int
    needs_approval: bool


@dataclass(frozen=True)
class RotationPreview:
    """Of a change of a secret rotation. ``kept`` is about the value that its secrets would keep; None: they keep none."""

    view: SecretRotationView
    credentials: tuple[CredentialFate, ...]
    consumed: Sequence[ConsumedSecret]
    shared_with: SharedWith
    needs_approval: bool
    kept: KeptValue | None = None


class ChangePreviews:
    """Says what a change would do if it were made now, to who may make it. All raise NotFound or Forbidden."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def deletion_of_connection(self, actor: Actor, connection_id: str, *, revoke: bool | None) -> ConnectionPreview:
        with self._database.read() as tx:
            connection, rotation = access.find(tx, actor, connection_id, Action.DELETE_CONNECTIONS)
            change = proposals.deletion_of_connection(connection, rotation, revoke=revoke)
            return self._of_connection(tx, actor, connection, rotation, change)

    def leak_of_connection(self, actor: Actor, connection_id: str) -> ConnectionPreview:
        with self._database.read() as tx:
            connection, rotation = access.require(tx, actor, connection_id, Action.ROTATE_CREDENTIALS)
            return self._of_connection(
                tx, actor, connection, rotation, proposals.leak_of_connection(connection, rotation)
            )

    def deletion_of_rotation(
        self, actor: Actor, secret_rotation_id: str, *, delete_secrets: bool, revoke: bool
    ) -> RotationPreview:
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.DELETE_ROTATIONS, secret_rotation_id)
            change = proposals.deletion_of_rotation(view, delete_secrets=delete_secrets, revoke=revoke)
            preview = self._of_rotation(tx, actor, view, change)
            kept = None if delete_secrets else kept_value(tx, view, self._clock.now(), revoke=revoke)
            return replace(preview, kept=kept)

    def leak_of_rotation(self, actor: Actor, secret_rotation_id: str) -> RotationPreview:
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.ROTATE_SECRETS, secret_rotation_id)
            return self._of_rotation(tx, actor, view, proposals.leak_of_rotation(view))

    def _of_connection(
        self, tx: Tx, actor: Actor, connection: Connection, rotation: Rotation | None, change: ProposedChange
    ) -> ConnectionPreview:
        refs = store.refs_of_connection(tx, connection.id)
        seen = secret_access.seen_among(tx, actor, refs)
        sharing = holders.sharing(tx, actor, [connection]).get(connection.id)
        others = sharing.count if sharing else 0
        now = self._clock.now()
        return ConnectionPreview(
            connection,
            fates(tx, rotation, change.kind, change.parameters, now, goes_on=others > 0) if rotation else (),
            RotatedThrough(seen, len(refs) - len(seen)),
            others,
            gate.needs_second_person(tx, actor.org_id, connection.project_id),
        )

    def _of_rotation(self, tx: Tx, actor: Actor, view: SecretRotationView, change: ProposedChange) -> RotationPreview:
        refs = [ref for ref in store.refs_of_rotation(tx, view.rotation.id) if ref.id != view.secret_rotation.id]
        seen, now = secret_access.seen_among(tx, actor, refs), self._clock.now()
        return RotationPreview(
            view,
            fates(tx, view.rotation, change.kind, change.parameters, now, goes_on=bool(refs)),
            consumed_secrets(tx, actor, view, now),
            SharedWith(seen, len(refs) - len(seen)),
            gate.needs_second_person(tx, actor.org_id, view.secret_rotation.project_id),
        )


def fates(
    tx: Tx, rotation: Rotation, kind: ChangeKind, parameters: Mapping[str, Any], now: datetime, *, goes_on: bool
) -> tuple[CredentialFate, ...]:
    """Return what becomes of each credential that signs in. ``goes_on``: others keep the rotation when its subject is deleted."""
    rows = [row for row in journal.live(tx, rotation.id) if row.published_at and not row.ended_at and not row.vanished]
    return tuple(
        CredentialFate(row, _removed_at(row, rotation, kind, parameters, now, goes_on=goes_on)) for row in rows
    )


def _removed_at(
    row: Credential,
    rotation: Rotation,
    kind: ChangeKind,
    parameters: Mapping[str, Any],
    now: datetime,
    *,
    goes_on: bool,
) -> datetime | None:
    waits_for = row.revoke_after if row.state is State.RETIRING else None
    match kind:
        case ChangeKind.CONNECTION_LEAKED | ChangeKind.ROTATION_LEAKED:
            return waits_for if row.used_elsewhere else now
        case ChangeKind.SECRETLESS:
            return waits_for or shift(now, timedelta(hours=parameters["watchHours"]))
        case ChangeKind.RELEASE:
            return max(now, row.grace_ends_at or now) if row.key_id == parameters["keyId"] else waits_for
        case ChangeKind.CREDENTIALS:
            elsewhere = parameters["clientId"].lower() != rotation.app_id.lower()
            return now if not goes_on and (row.state is State.CURRENT or elsewhere) else waits_for
        case ChangeKind.DELETE_ROTATION if not goes_on:
            return now if parameters["revokeGeneratedCredentials"] and not row.used_elsewhere else None
        case ChangeKind.DELETE_CONNECTION if not goes_on:
            revoke = parameters["revokeCredentials"]
            kept = row.adopted if revoke is None else not revoke
            return None if kept else now
    return waits_for
