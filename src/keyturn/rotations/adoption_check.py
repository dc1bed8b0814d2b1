"""Asking the provider about a credential that is to be taken over."""

from typing import NoReturn

from keyturn.connections import sealed
from keyturn.connections.domain import Connection
from keyturn.connections.verification import Verifier
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.ports.clock import Clock
from keyturn.ports.provider import Tenant
from keyturn.ports.sealing import Sealer
from keyturn.ports.sign_in import Credentials, SignInMethod
from keyturn.providers.registry import Providers
from keyturn.rotations.commands import Adoption, ConnectionChange
from keyturn.rotations.domain import Rotation
from keyturn.rotations.policy_check import require_allowed, usual_life
from keyturn.rotations.schedule import Schedule


class AdoptionCheck:
    """Checks everything that taking over a credential needs. Outside of transactions; changes nothing."""

    def __init__(
        self, database: Database, sealer: Sealer, providers: Providers, clock: Clock, verifier: Verifier
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._providers = providers
        self._clock = clock
        self._verifier = verifier

    def check(
        self,
        credentials: Credentials,
        cloud: str,
        key_id: str | None = None,
        *,
        confirmed: bool = False,
        schedule: Schedule | None = None,
    ) -> Adoption:
        """Return the adoption of a credential: it signs in, may write its application, and is identified there.

        With the ``schedule`` of a rotation that begins, the tenant's policies have to let a new one be added, as far as these
        can be read.

        ``confirmed``: a key id is believed where the application's list says nothing for or against it. Raises Refused, or
        what the provider says.
        """
        method = self._providers.method_of(credentials)
        kind = method.kind(app_id=credentials.client_id) or self._refuse_method(method)
        credentials = self._verifier.located(credentials, cloud)
        token = self._verifier.sign_in(credentials, cloud)
        tenant = Tenant(cloud, credentials.tenant_id)
        application = kind.application(tenant, token, app_id=credentials.client_id)
        kind.check_may_write(tenant, token, application)
        if schedule:
            require_allowed(kind.policy(tenant, token, application, usual_life(schedule)), schedule)
        application = kind.identified(tenant, token, application, method.value(credentials))
        key = method.match(application.credentials, credentials, self._clock.now(), key_id, confirmed=confirmed)
        return Adoption(credentials, application, key, self._verifier.provider_time())

    def check_change(
        self,
        connection: Connection,
        rotation: Rotation | None,
        credentials: Credentials | None,
        change: ConnectionChange,
        schedule: Schedule | None,
    ) -> Adoption | None:
        """Return what the change has the server take over; None where that is nothing. ``credentials`` are new ones."""
        if rotation is None and change.enabled:
            candidate = credentials or self._stored(connection)
        elif credentials and rotation:
            candidate = credentials
        else:
            return None
        key_id = change.key_id or (change.credentials.key_id if change.credentials else None)
        key_id = key_id or (change.schedule.key_id if change.schedule else None)
        begins = schedule if rotation is None else None
        return self.check(candidate, connection.cloud, key_id, confirmed=change.confirms_key_id, schedule=begins)

    def _stored(self, connection: Connection) -> Credentials:
        method = self._providers.method_of(connection)
        credentials = sealed.open_credentials(self._database, self._sealer, method, connection)
        return credentials or self._refuse_method(method)

    def _refuse_method(self, method: SignInMethod) -> NoReturn:
        keys = [one.key for one in self._providers.of(method.app).methods if one.kind() is not None]
        raise Refused(
            f"Automatic credential rotation is available for the methods {' and '.join(keys)}; this connection's is "
            f"'{method.key}'.",
            code="rotation.method_not_supported",
            fix="Leave automatic rotation off, or make a connection with a client secret or a certificate.",
        )
