"""Who signs in for a rotation, and where its current credential goes: all in which kinds of rotation differ.

A target is chosen once, when the lease is taken. It never orders steps; ``decide`` does.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from keyturn.connections import sealed
from keyturn.connections import store as connections
from keyturn.connections.domain import Connection, target_changed
from keyturn.connections.writes import point_to
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Database, Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import AccessToken, RemoteApplication, Tenant
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers
from keyturn.rotations.domain import Reason, Rotation, Snapshot


@dataclass(frozen=True)
class Signer:
    """What signs in for a rotation: one of its own credentials, or somebody else (None).

    ``published_at`` is since when it is in use: for a while after that a replica may not know it.
    """

    published_at: datetime | None
    credential: Credential | None = None


@dataclass(frozen=True)
class TargetDescription:
    """Words for people: what to do when nothing is left that signs in, and where the rotation's credentials are shown."""

    no_signer: str
    credentials: str


class RotationTarget(Protocol):
    """One for each kind of rotation, shared by all threads of a process."""

    @property
    def signer_is_own(self) -> bool:
        """Whether the rotation's own credentials sign in: then the one that does is removed last."""

    def signers(self, snapshot: Snapshot) -> Sequence[Signer]:
        """Return what to sign in with, the best first. Reads, and changes nothing."""

    def sign_in(self, rotation: Rotation, signer: Signer) -> AccessToken:
        """Return a token for the management API. Raises what the provider says, and as :meth:`require_unchanged` does."""

    def signer_value(self, rotation: Rotation, signer: Signer) -> Plaintext | None:
        """Return the value that signs in, if it is one of the rotation's own. Raises as :meth:`require_unchanged` does."""

    def require_permitted(self, rotation: Rotation, application: RemoteApplication, token: AccessToken) -> None:
        """Raise NeedsAction where the application may not be rotated in this way. May ask the provider; changes nothing."""

    def require_unchanged(self, rotation: Rotation) -> None:
        """Raise NeedsAction where a value would be sent elsewhere than it was sealed for."""

    def publish(
        self, tx: Tx, rotation: Rotation, current: Credential, value: Plaintext, now: datetime, reason: Reason
    ) -> None:
        """Put the new current credential where its readers find it. The rotation is locked in this transaction."""

    def end_unpublished(self, tx: Tx, rotation: Rotation, now: datetime) -> bool:
        """Say whether the rotation ends because its first run has failed. Then what waits for a first credential is removed."""

    def connection_to_judge(self, rotation: Rotation) -> str | None:
        """Return which connection works or is refused as the rotation's sign-ins are; None when there is none."""

    def describe(self) -> TargetDescription: ...


@dataclass(frozen=True)
class ConnectionCredential:
    """The credential that a connection signs in with, on the connection's own application."""

    database: Database
    sealer: Sealer
    providers: Providers

    signer_is_own = True

    def signers(self, snapshot: Snapshot) -> Sequence[Signer]:
        """Return the rotation's own credentials: the current one, or all that are left once it has ended."""
        return [Signer(row.published_at, row) for row in snapshot.own_signers if row.value is not None]

    def sign_in(self, rotation: Rotation, signer: Signer) -> AccessToken:
        """Sign in with the credential; as the connection does where it signs in by another method.

        That one is about to give this credential up, so whoever is seen to sign in with that is somebody else.
        """
        connection = self._unchanged_connection(rotation)
        if connection and connection.method != rotation.credential_kind:
            return self._sign_in_as(connection)
        kind = self.providers.kind(rotation.credential_kind, app_id=rotation.app_id)
        return kind.sign_in(rotation.tenant, rotation.app_id, self._value(signer))

    def signer_value(self, rotation: Rotation, signer: Signer) -> Plaintext:
        self.require_unchanged(rotation)
        return self._value(signer)

    def _value(self, signer: Signer) -> Plaintext:
        row = signer.credential
        if row is None or row.value is None:
            raise RuntimeError("a signer that is no credential of the rotation")
        return self.sealer.open(row.value, row.seal_context)

    def require_permitted(self, rotation: Rotation, application: RemoteApplication, token: AccessToken) -> None:
        """Whoever enabled the rotation has handed over the application's own credential."""

    def end_unpublished(self, tx: Tx, rotation: Rotation, now: datetime) -> bool:
        """Return False: the credential that was taken over stays in use."""
        return False

    def require_unchanged(self, rotation: Rotation) -> None:
        """Raise NeedsAction when the rotation names another tenant or application than its connection was sealed for.

        What is removed after the connection was deleted has nothing to be compared with.
        """
        self._unchanged_connection(rotation)

    def _unchanged_connection(self, rotation: Rotation) -> Connection | None:
        connection_id = self.connection_to_judge(rotation)
        if connection_id is None:
            return None
        with self.database.read() as tx:
            connection = connections.get(tx, connection_id)
        if connection is None:
            return None
        sealed.content_of(self.sealer, connection)
        target = Tenant(connection.cloud, connection.tenant_id.lower()), connection.client_id.lower()
        if target != (replace(rotation.tenant, tenant_id=rotation.tenant.tenant_id.lower()), rotation.app_id.lower()):
            raise target_changed(rotation.name)
        return connection

    def _sign_in_as(self, connection: Connection) -> AccessToken:
        method = self.providers.method_of(connection)
        credentials = sealed.open_credentials(self.database, self.sealer, method, connection)
        if credentials is None:
            raise TypeError("a connection without credentials of its own")
        return method.sign_in(connection.tenant, credentials)

    def publish(
        self, tx: Tx, rotation: Rotation, current: Credential, value: Plaintext, now: datetime, reason: Reason
    ) -> None:
        if rotation.connection_id:
            method = self.providers.method_of_kind(rotation.credential_kind)
            point_to(tx, self.sealer, method, rotation.connection_id, current, value, now)

    def connection_to_judge(self, rotation: Rotation) -> str | None:
        return None if rotation.retired else rotation.connection_id

    def describe(self) -> TargetDescription:
        return TargetDescription(
            no_signer="Enter new credentials for the connection.",
            credentials="the connection's credentials",
        )
