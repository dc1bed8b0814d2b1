"""Being signed in at the provider for the work on one application."""

from dataclasses import replace
from datetime import timedelta

from keyturn.connections import sealed
from keyturn.connections import store as store_of_connections
from keyturn.connections.domain import target_changed
from keyturn.credentials.domain import Credential, settled_at
from keyturn.errors import NeedsAction, NotYet, Permanent, Retryable, Upstream
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import AccessToken, CredentialKind, RemoteApplication, Tenant
from keyturn.rotations.domain import Rotation, Snapshot
from keyturn.rotations.work.context import WorkerContext
from keyturn.rotations.work.lease import ApplicationLease

_LEAST_LIFE = timedelta(minutes=2)


class Session:
    """Signs in, and keeps the token as long as the lease is held. Not shared between threads."""

    def __init__(self, context: WorkerContext, kind: CredentialKind, lease: ApplicationLease) -> None:
        self._context = context
        self._kind = kind
        self._lease = lease
        self._token: AccessToken | None = None
        self._signer: Credential | None = None
        self._refusal: Upstream | None = None

    def access(self, snapshot: Snapshot) -> AccessToken:
        """Return a token for the management API, signed in with the rotation's own secret.

        Raises Retryable or NeedsAction. Refusals that replication explains are transient for a while after a publish.
        """
        if self._token is None or self._token.expires_at - self._context.clock.now() < _LEAST_LIFE:
            self._token = self._sign_in(snapshot)
        return self._token

    def signer_value(self, snapshot: Snapshot) -> Plaintext:
        """Return the value that the token of :meth:`access` was got with: some changes want a proof of having it."""
        self.access(snapshot)
        if self._signer is None:
            raise RuntimeError("a token that nothing signed in for")
        return self._opened(self._signer)

    def look(self, snapshot: Snapshot) -> RemoteApplication:
        """Sign in, read the application, make sure that it may be written: all that a connection is for.

        Raises Retryable or NeedsAction, as :meth:`access` does.
        """
        rotation, token = snapshot.rotation, self.access(snapshot)
        try:
            application = self._kind.application(rotation.tenant, token, object_id=rotation.object_id)
            self._kind.check_may_write(rotation.tenant, token, application)
        except NotYet as error:
            raise self._refused(self._final(error, self._signer)) from None
        except (NeedsAction, Permanent) as error:
            self._refused(error)
            raise
        return application

    def forget(self) -> None:
        """Sign in anew next time: the secret changed, or a call was refused."""
        self._token = None

    def is_refusal(self, error: Upstream) -> bool:
        """Whether the error, raised here, says that the provider refuses the connection: its sign-in, or what it is for."""
        return error is self._refusal

    def require_target(self, rotation: Rotation) -> None:
        """Raise NeedsAction when the rotation names another tenant or application than its connection was sealed for.

        What is removed after the connection was deleted has nothing to be compared with.
        """
        if rotation.retired or rotation.connection_id is None:
            return
        with self._context.database.read() as tx:
            connection = store_of_connections.get(tx, rotation.connection_id)
        if connection is None:
            return
        sealed.content_of(self._context.sealer, connection)
        target = Tenant(connection.cloud, connection.tenant_id.lower()), connection.client_id.lower()
        if target != (replace(rotation.tenant, tenant_id=rotation.tenant.tenant_id.lower()), rotation.app_id.lower()):
            raise target_changed(rotation.name)

    def _sign_in(self, snapshot: Snapshot) -> AccessToken:
        refused: Upstream = NeedsAction(
            "There is no secret left to sign in with.",
            code="rotation.no_secret",
            fix="Enter a new client secret in the connection's credentials.",
        )
        for signer in snapshot.signers:
            self._lease.before_network()
            try:
                token = self._sign_in_with(snapshot.rotation, signer)
            except Upstream as error:
                if not error.refuses_credential:
                    self._refused(error)
                    raise
                refused = error
            else:
                self._signer = signer
                return token
        raise self._refused(refused)

    def _sign_in_with(self, rotation: Rotation, signer: Credential) -> AccessToken:
        self.require_target(rotation)
        value = self._opened(signer)
        try:
            return self._kind.sign_in(rotation.tenant, rotation.app_id, value)
        except NotYet as error:
            raise self._final(error, signer) from None

    def _final(self, error: NotYet, signer: Credential | None) -> Upstream:
        """Soon after it was published a refusal means that the credential is still spreading; later, what it says."""
        now, published = self._context.provider_time(), signer.published_at if signer else None
        spreading = published is not None and now < settled_at(published, self._context.pace.settle, now)
        return error.judged(spreading=spreading)

    def _opened(self, signer: Credential) -> Plaintext:
        if signer.value is None:
            raise RuntimeError("a published secret without its value")
        return self._context.sealer.open(signer.value, signer.seal_context)

    def _refused(self, error: Upstream) -> Upstream:
        if not isinstance(error, Retryable):
            self._refusal = error
        return error
