"""Checking credentials that somebody submitted: first what needs no network, then by signing in with them."""

from datetime import datetime

from keyturn.connections import sealed
from keyturn.connections.domain import Connection, VerifiedCredentials, credentials_hash
from keyturn.connections.stored import final
from keyturn.connections.switching import method_named, require_may_switch
from keyturn.kit.clock_difference import provider_time
from keyturn.ports.clock import Clock
from keyturn.ports.provider import AccessToken, Tenant
from keyturn.ports.sealing import Sealer
from keyturn.ports.sign_in import Credentials
from keyturn.providers.registry import Providers


class Verifier:
    """Verifies credentials before they are stored."""

    def __init__(self, sealer: Sealer, providers: Providers, clock: Clock) -> None:
        self._sealer = sealer
        self._providers = providers
        self._clock = clock

    def read(self, supplied: Credentials, *, dated: bool = True) -> Credentials:
        """Check what needs no network. Raises Refused, naming the field, for a certificate that cannot be used.

        With ``dated`` False its dates are not looked at: it may only be what was supplied long ago.
        """
        return self._providers.method_of(supplied).read(supplied, self._clock.now() if dated else None)

    def method_named(self, connection: Connection, key: str | None) -> str:
        """Return of which method credentials are that come with the name of one."""
        own, methods = self._providers.method_of(connection), self._providers.of(connection.app).methods
        return method_named(key, own, methods).key

    def read_new(self, connection: Connection, supplied: Credentials | None) -> Credentials | None:
        """Return credentials that differ from what the user supplied before; declarative clients send the old ones again.

        Raises Refused for those of a method that the connection does not switch to, and as :meth:`read` does.
        """
        if supplied is None:
            return None
        if supplied.method != connection.method:
            require_may_switch(self._providers.method_of(connection), self._providers.method_of(supplied))
            return self.read(supplied)
        again = self.read(supplied, dated=False)
        return None if self.is_as_supplied(connection, again) else self.read(supplied)

    def is_as_supplied(self, connection: Connection, credentials: Credentials) -> bool:
        """Whether the user sent again what they had sent before, as declarative tools do with every change."""
        method, salt = self._providers.method_of(connection), sealed.salt(self._sealer, connection)
        same = credentials_hash(method, credentials, salt) == connection.credentials_hash
        return same and sealed.is_as_sealed(self._sealer, connection)

    def verify(self, credentials: Credentials, cloud: str) -> VerifiedCredentials:
        """Have the provider accept what was given, in this cloud. NOT repeatable for a code, which is exchanged."""
        with final():
            accepted = self._providers.method_of(credentials).accept(cloud, credentials)
        return VerifiedCredentials(credentials, accepted, self.provider_time())

    def provider_time(self) -> datetime:
        """What time it is by the provider's clock, as its last answer has shown."""
        return provider_time(self._clock.now(), self._providers.clock_ahead())

    def located(self, credentials: Credentials, cloud: str) -> Credentials:
        """Return the credentials with the id of their tenant, if they name one of its domains. Repeatable."""
        with final():
            return self._providers.method_of(credentials).locate(cloud, credentials)

    def sign_in(self, credentials: Credentials, cloud: str) -> AccessToken:
        """Prove credentials that somebody gave. A refusal is final here: nothing was changed that could still spread."""
        with final():
            return self._providers.method_of(credentials).sign_in(Tenant(cloud, credentials.tenant_id), credentials)
