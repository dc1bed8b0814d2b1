"""The second kind of target: the secret of any application, published as secrets of projects; a connection signs in."""

from collections.abc import Sequence
from datetime import datetime

from keyturn.audit import secret_rotation_events as events
from keyturn.connections import claims
from keyturn.connections import store as connections
from keyturn.connections.domain import Connection
from keyturn.connections.stored import Stored
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Database, Tx
from keyturn.errors import NeedsAction
from keyturn.kit.actor import platform
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Ids
from keyturn.ports.provider import AccessToken, RemoteApplication
from keyturn.ports.sealing import Sealer
from keyturn.rotations.domain import Reason, Rotation, Snapshot
from keyturn.rotations.permitted import PermittedApplications
from keyturn.rotations.secret_rotations.events import record_secret_rotation_event
from keyturn.rotations.secret_rotations.publishing import publish_everywhere
from keyturn.rotations.store import secret_rotations as store
from keyturn.rotations.targets import Signer, TargetDescription
from keyturn.secrets.store import mapped
from keyturn.secrets.writes import MappingWriter


@dataclass(frozen=True)
class MappedSecrets:
    """The current secret of an application, as versions of secrets that point to its row of the journal."""

    database: Database
    sealer: Sealer
    ids: Ids
    stored: Stored
    permitted: PermittedApplications

    signer_is_own = False

    def signers(self, snapshot: Snapshot) -> Sequence[Signer]:
        """Return the connection; nothing when it is gone."""
        connection = self._connection(snapshot.rotation)
        return [Signer(connection.published_at)] if connection else []

    def sign_in(self, rotation: Rotation, signer: Signer) -> AccessToken:
        """Sign in with what the connection has at this moment: it may rotate meanwhile."""
        return self.stored.sign_in_once(self._required(rotation))

    def signer_value(self, rotation: Rotation, signer: Signer) -> Plaintext | None:
        """Return None: what signs in belongs to another application, or to a person."""
        return None

    def require_unchanged(self, rotation: Rotation) -> None:
        """Raise NeedsAction when the connection signs in to another tenant than that of the application."""
        self._required(rotation)

    def require_permitted(self, rotation: Rotation, application: RemoteApplication, token: AccessToken) -> None:
        self.permitted.require_in_run(self._required(rotation), application, token)

    def publish(
        self, tx: Tx, rotation: Rotation, current: Credential, value: Plaintext, now: datetime, reason: Reason
    ) -> None:
        """Make it the current version of every secret that is mapped to it."""
        writer = MappingWriter(self.sealer, self.ids, platform(rotation.org_id), now, reason.value)
        publish_everywhere(tx, writer, rotation, current)

    def end_unpublished(self, tx: Tx, rotation: Rotation, now: datetime) -> bool:
        """Return True: nobody has read anything yet. The names are free again, and so is the application."""
        by = platform(rotation.org_id)
        for view in store.views_of_rotation(tx, rotation.id):
            record_secret_rotation_event(tx, by, events.SECRET_ROTATION_DELETED, view, now)
            mapped.remove(tx, view.secret_rotation.id)
            store.delete(tx, view.secret_rotation.id)
        claims.leave_target(tx, rotation.tenant.cloud, rotation.app_id)
        return True

    def connection_to_judge(self, rotation: Rotation) -> str | None:
        return rotation.connection_id

    def describe(self) -> TargetDescription:
        return TargetDescription(
            no_signer="Give the secret rotation another connection.",
            credentials="the application's credentials",
        )

    def _connection(self, rotation: Rotation) -> Connection | None:
        with self.database.read() as tx:
            return connections.get(tx, rotation.connection_id) if rotation.connection_id else None

    def _required(self, rotation: Rotation) -> Connection:
        connection = self._connection(rotation)
        if connection is None:
            raise NeedsAction(
                f"The connection through which '{rotation.name}' is rotated is gone.",
                code="rotation.no_connection",
                fix=self.describe().no_signer,
            )
        tenant = rotation.tenant
        if (connection.cloud, connection.tenant_id.lower()) != (tenant.cloud, tenant.tenant_id.lower()):
            raise NeedsAction(
                f"The connection '{connection.name}' signs in to another tenant than that of the application "
                f"'{rotation.application_name}'.",
                code="rotation.other_tenant",
                fix="Give the secret rotation a connection of the application's tenant.",
            )
        return connection
