"""Checking credentials that somebody submitted: first what needs no network, then by signing in with them."""

from dataclasses import replace
from datetime import datetime

from keyturn.connections import sealed
from keyturn.connections.domain import (
    AuthorizationCode,
    Certificate,
    CertificateFiles,
    Connection,
    OAuthGrant,
    ReadCredentials,
    Rotatable,
    StoredCredentials,
    SubmittedCredentials,
    VerifiedCredentials,
    credentials_hash,
    method_of,
)
from keyturn.connections.flow import require_whole
from keyturn.connections.refresh_tokens import Grants
from keyturn.connections.stored import final
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.kit.clock_difference import provider_time
from keyturn.kit.ids import is_uuid
from keyturn.ports.clock import Clock
from keyturn.ports.provider import AccessToken, Provider, Tenant
from keyturn.ports.sealing import Sealer


class Verifier:
    """Verifies credentials before they are stored. ``bare_codes`` lets clients send an authorization code alone."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        provider: Provider,
        clock: Clock,
        grants: Grants,
        *,
        bare_codes: bool = False,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._provider = provider
        self._clock = clock
        self._grants = grants
        self._bare_codes = bare_codes

    def read(self, supplied: SubmittedCredentials, *, dated: bool = True) -> ReadCredentials:
        """Check what needs no network. Raises Refused, naming the field, for a certificate that cannot be used.

        With ``dated`` False its dates are not looked at: it may only be what was supplied long ago.
        """
        if isinstance(supplied, AuthorizationCode) and not self._bare_codes:
            require_whole(supplied)
        if not isinstance(supplied, CertificateFiles):
            return supplied
        signing = self._provider.read_certificate(
            supplied.certificate, supplied.private_key, supplied.passphrase, self._clock.now() if dated else None
        )
        return Certificate(supplied.tenant_id, supplied.client_id, signing)

    def read_new(self, connection: Connection, supplied: SubmittedCredentials | None) -> ReadCredentials | None:
        """Return credentials that differ from what the user supplied before; declarative clients send the old ones again.

        Raises Refused for those of another method, and as :meth:`read` does.
        """
        if supplied is None:
            return None
        if method_of(supplied) is not connection.method:
            raise Refused(
                f"These are credentials of the method '{method_of(supplied)}', but the connection's method is "
                f"'{connection.method}'.",
                code="connections.method_fixed",
                fix="A connection's method cannot be changed: make another connection.",
            )
        again = self.read(supplied, dated=False)
        return None if self.is_as_supplied(connection, again) else self.read(supplied)

    def is_as_supplied(self, connection: Connection, credentials: ReadCredentials) -> bool:
        """Whether the user sent again what they had sent before, as declarative tools do with every change."""
        same = credentials_hash(credentials, sealed.salt(self._sealer, connection)) == connection.credentials_hash
        return same and sealed.is_as_sealed(self._sealer, connection)

    def verify(self, credentials: ReadCredentials, cloud: str) -> VerifiedCredentials:
        """Have the provider accept what was given, in this cloud. NOT repeatable for a code, which is exchanged."""
        if isinstance(credentials, AuthorizationCode):
            return VerifiedCredentials(credentials, self._exchange(credentials, cloud), self.provider_time())
        located = self.located(credentials, cloud)
        self.sign_in(located, cloud)
        return VerifiedCredentials(credentials, located, self.provider_time())

    def provider_time(self) -> datetime:
        """What time it is by the provider's clock, as its last answer has shown."""
        return provider_time(self._clock.now(), self._provider.clock_ahead())

    def located(self, credentials: Rotatable, cloud: str) -> Rotatable:
        """Return the credentials with the id of their tenant, if they name one of its domains. Repeatable."""
        if is_uuid(credentials.tenant_id):
            return credentials
        with final():
            return replace(credentials, tenant_id=self._provider.tenant_id(Tenant(cloud, credentials.tenant_id)))

    def _exchange(self, code: AuthorizationCode, cloud: str) -> StoredCredentials:
        app = self._grants.app()
        tenant = Tenant(cloud, code.tenant_id)
        with final():
            grant = self._provider.redeem(tenant, app, code.code, verifier=code.verifier, nonce=code.nonce)
        return OAuthGrant.of(grant, app.client_id)

    def sign_in(self, credentials: Rotatable, cloud: str) -> AccessToken:
        """Prove credentials that somebody gave. A refusal is final here: nothing was changed that could still spread."""
        tenant = Tenant(cloud, credentials.tenant_id)
        with final():
            if isinstance(credentials, Certificate):
                return self._provider.sign_in_by_certificate(tenant, credentials.client_id, credentials.signing)
            return self._provider.sign_in(tenant, credentials.client_id, credentials.secret)
