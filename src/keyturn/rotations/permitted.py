"""Whether a connection may be used to rotate an application: it is on the connection's list, nobody signs in as it here, and a
new secret of it can sign in.

Without the list whoever may make a secret rotation through a connection that may write every application could read the secret of
any of them.
"""

from contextlib import suppress

from keyturn.connections import allowed, claims
from keyturn.connections.domain import Connection
from keyturn.db.unit import Database
from keyturn.errors import Forbidden, NeedsAction, Refused, Upstream
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.provider import AccessToken, Principal, RemoteApplication
from keyturn.providers.registry import Providers


@dataclass(frozen=True)
class PermittedApplications:
    """Asks the database, and the provider only where that decides. Outside transactions."""

    database: Database
    providers: Providers

    def require_no_sign_in(self, connection: Connection, application: RemoteApplication) -> None:
        """Raise Refused when a connection, or this server itself, signs in as the application."""
        browser = self.providers.browser
        if browser.configured and browser.client_id.lower() == application.app_id.lower():
            raise claims.refusal(application.app_id, claims.Use.TARGET)
        with self.database.read() as tx:
            claims.require_target(tx, connection.cloud, application.app_id)

    def covers(self, connection: Connection, application: RemoteApplication, token: AccessToken) -> bool:
        """Say whether the application is on the connection's list, or owned by who signs in where that is enough."""
        with self.database.read() as tx:
            if allowed.is_allowed(tx, connection.id, application.object_id, owned=False):
                return True
            owned = allowed.is_allowed(tx, connection.id, application.object_id, owned=True)
        return owned and self.providers.of(connection.app).owns(connection.tenant, token, application)

    def require_in_run(self, connection: Connection, application: RemoteApplication, token: AccessToken) -> None:
        """Raise NeedsAction unless the application may still be rotated through the connection, and where it is seen to be
        disabled.
        """
        try:
            self.require_no_sign_in(connection, application)
            if not self.covers(connection, application, token):
                raise allowed.not_allowed(f"'{application.name}'", connection)
            with suppress(Upstream):
                # It is a look ahead: no run waits for an answer to it, or fails without one.
                self.require_enabled(connection, application, token)
        except (Forbidden, Refused) as refusal:
            raise NeedsAction(refusal.message, code=refusal.code, fix=refusal.fix) from None

    def require_enabled(
        self, connection: Connection, application: RemoteApplication, token: AccessToken
    ) -> Principal | None:
        """Return what service principal the tenant has, as far as that can be seen. Raises Refused for one that is disabled."""
        provider = self.providers.of(connection.app)
        principal = provider.principal(connection.tenant, token, application)
        if principal is Principal.DISABLED:
            raise Refused(
                f"The application '{application.name}' is disabled in tenant {connection.tenant_id}: no secret of it signs in.",
                code="rotation.service_principal_disabled",
                fix=provider.principal_fix(connection.tenant, principal, application),
                field="parameters.clientId",
            )
        return principal
