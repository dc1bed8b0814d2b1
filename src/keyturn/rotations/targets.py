"""Who signs in for a rotation, and where its current credential goes: all in which kinds of rotation differ.

A target is chosen once, when the lease is taken. It never orders steps; ``decide`` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from keyturn.connections import sealed
from keyturn.connections import store as connections
from keyturn.connections.domain import target_changed
from keyturn.connections.writes import point_to
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Database, Tx
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.ports.provider import Tenant
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers
from keyturn.rotations.domain import Rotation, Snapshot


@dataclass(frozen=True)
class Signer:
    """A credential that signs in for a rotation, of the application that it belongs to; sealed until it is needed.

    ``published_at`` is since when it is in use: for a while after that a replica may not know it.
    """

    tenant: Tenant
    app_id: str
    credential_kind: str
    value: Sealed
    seal_context: SealContext
    published_at: datetime | None


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

    def open_signer(self, rotation: Rotation, signer: Signer) -> Plaintext:
        """Return the value that signs in. Raises NeedsAction as :meth:`require_unchanged` does."""

    def require_unchanged(self, rotation: Rotation) -> None:
        """Raise NeedsAction where a value would be sent elsewhere than it was sealed for."""

    def publish(self, tx: Tx, rotation: Rotation, current: Credential, value: Plaintext, now: datetime) -> None:
        """Put the new current credential where its readers find it. The rotation is locked in this transaction."""

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
        rotation = snapshot.rotation
        return [
            Signer(
                rotation.tenant,
                rotation.app_id,
                rotation.credential_kind,
                row.value,
                row.seal_context,
                row.published_at,
            )
            for row in snapshot.own_signers
            if row.value is not None
        ]

    def open_signer(self, rotation: Rotation, signer: Signer) -> Plaintext:
        self.require_unchanged(rotation)
        return self.sealer.open(signer.value, signer.seal_context)

    def require_unchanged(self, rotation: Rotation) -> None:
        """Raise NeedsAction when the rotation names another tenant or application than its connection was sealed for.

        What is removed after the connection was deleted has nothing to be compared with.
        """
        connection_id = self.connection_to_judge(rotation)
        if connection_id is None:
            return
        with self.database.read() as tx:
            connection = connections.get(tx, connection_id)
        if connection is None:
            return
        sealed.content_of(self.sealer, connection)
        target = Tenant(connection.cloud, connection.tenant_id.lower()), connection.client_id.lower()
        if target != (replace(rotation.tenant, tenant_id=rotation.tenant.tenant_id.lower()), rotation.app_id.lower()):
            raise target_changed(rotation.name)

    def publish(self, tx: Tx, rotation: Rotation, current: Credential, value: Plaintext, now: datetime) -> None:
        if rotation.connection_id:
            method = self.providers.method_of_kind(rotation.credential_kind)
            point_to(tx, self.sealer, method, rotation.connection_id, current, value, now)

    def connection_to_judge(self, rotation: Rotation) -> str | None:
        return None if rotation.retired else rotation.connection_id

    def describe(self) -> TargetDescription:
        return TargetDescription(
            no_signer="Enter a new client secret in the connection's credentials.",
            credentials="the connection's credentials",
        )
