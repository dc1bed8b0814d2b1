"""Being signed in at the provider for the work on one application."""

from datetime import timedelta

from keyturn.credentials.domain import settled_at
from keyturn.errors import NeedsAction, NotYet, Permanent, Retryable, Upstream
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import AccessToken, CredentialKind, RemoteApplication
from keyturn.rotations.domain import Rotation, Snapshot
from keyturn.rotations.targets import RotationTarget, Signer
from keyturn.rotations.work.context import WorkerContext
from keyturn.rotations.work.lease import ApplicationLease

_LEAST_LIFE = timedelta(minutes=2)


class Session:
    """Signs in, and keeps the token as long as the lease is held. Not shared between threads."""

    def __init__(
        self, context: WorkerContext, target: RotationTarget, kind: CredentialKind, lease: ApplicationLease
    ) -> None:
        self._context = context
        self._target = target
        self._kind = kind
        self._lease = lease
        self._token: AccessToken | None = None
        self._signer: Signer | None = None
        self._refusal: Upstream | None = None

    def access(self, snapshot: Snapshot) -> AccessToken:
        """Return a token for the management API, signed in with what the target says.

        Raises Retryable or NeedsAction. Refusals that replication explains are transient for a while after a publish.
        """
        if self._token is None or self._token.expires_at - self._context.clock.now() < _LEAST_LIFE:
            self._token = self._sign_in(snapshot)
        return self._token

    def signer_value(self, snapshot: Snapshot) -> Plaintext | None:
        """Return the value that the token of :meth:`access` was got with, where it is one of the rotation's own.

        Some changes want a proof of having it.
        """
        self.access(snapshot)
        if self._signer is None:
            raise RuntimeError("a token that nothing signed in for")
        return self._target.signer_value(snapshot.rotation, self._signer)

    def look(self, snapshot: Snapshot) -> RemoteApplication:
        """Sign in, read the application, make sure that it may be written: all that a connection is for.

        Raises Retryable or NeedsAction, as :meth:`access` does. What is said of an application that is not the signer's own is
        no refusal of the signer.
        """
        rotation, token = snapshot.rotation, self.access(snapshot)
        try:
            application = self._kind.application(rotation.tenant, token, object_id=rotation.object_id)
            self._kind.check_may_write(rotation.tenant, token, application)
        except NotYet as error:
            final = self._final(error, self._signer)
            raise (self._refused(final) if self._target.signer_is_own else final) from None
        except (NeedsAction, Permanent) as error:
            if self._target.signer_is_own:
                self._refused(error)
            raise
        return application

    def forget(self) -> None:
        """Sign in anew next time: the secret changed, or a call was refused."""
        self._token = None

    def is_refusal(self, error: Upstream) -> bool:
        """Whether the error, raised here, says that the provider refuses the connection: its sign-in, or what it is for."""
        return error is self._refusal

    def _sign_in(self, snapshot: Snapshot) -> AccessToken:
        refused: Upstream = NeedsAction(
            "There is no secret left to sign in with.",
            code="rotation.no_secret",
            fix=self._target.describe().no_signer,
        )
        for signer in self._target.signers(snapshot):
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

    def _sign_in_with(self, rotation: Rotation, signer: Signer) -> AccessToken:
        try:
            return self._target.sign_in(rotation, signer)
        except NotYet as error:
            raise self._final(error, signer) from None

    def _final(self, error: NotYet, signer: Signer | None) -> Upstream:
        """Soon after it was published a refusal means that the credential is still spreading; later, what it says."""
        now, published = self._context.provider_time(), signer.published_at if signer else None
        spreading = published is not None and now < settled_at(published, self._context.pace.settle, now)
        return error.judged(spreading=spreading)

    def _refused(self, error: Upstream) -> Upstream:
        if not isinstance(error, Retryable):
            self._refusal = error
        return error
