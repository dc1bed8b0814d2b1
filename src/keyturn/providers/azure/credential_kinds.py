"""The kinds of credentials that an application can roll by itself: client secrets and certificates."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.preflight import PolicyReport
from keyturn.ports.provider import (
    AccessToken,
    CredentialKind,
    CredentialRequest,
    IssuedCredential,
    MadeCredential,
    RemoteApplication,
    RemoteCredential,
    SigningCertificate,
    Tenant,
)
from keyturn.providers.azure.app_policies import CERTIFICATES, SECRETS
from keyturn.providers.azure.certificate import proof_of_possession
from keyturn.providers.azure.graph import Graph, GraphContext
from keyturn.providers.azure.key_pairs import new_pair, thumbprints
from keyturn.providers.azure.operations import ApplicationOperations
from keyturn.providers.azure.preflight import Preflight


class GraphContexts(Protocol):
    """Makes callers of Graph, letting nothing but UUIDs through."""

    def __call__(
        self, tenant: Tenant, token: AccessToken, *, app_id: str | None = None, object_id: str | None = None
    ) -> GraphContext: ...


Keys = Callable[[], RSAPrivateKey]
"""Makes a private key that nobody has."""


class ClientSecretKind:
    """Client secrets: made by Entra ID, which returns their value once."""

    def __init__(
        self, provider: ApplicationOperations, graph: Graph, callers: GraphContexts, app_id: str | None
    ) -> None:
        self._provider = provider
        self._graph = graph
        self._callers = callers
        self.application = partial(provider.application, client_id=app_id)
        self._app_id = app_id
        self.check_may_write = provider.check_may_write
        self.sign_in = provider.sign_in

    def policy(
        self, tenant: Tenant, token: AccessToken, application: RemoteApplication, lifetime: timedelta
    ) -> PolicyReport:
        """Say whether policies let a secret be added that lives so long. Repeatable."""
        caller = self._callers(tenant, token, app_id=application.app_id, object_id=application.object_id)
        return Preflight(self._graph, caller, application, SECRETS).report(lifetime)

    def make(self, marker: str, now: datetime, ends_at: datetime) -> MadeCredential | None:
        """Return None: Entra ID makes them."""
        return None

    def identified(
        self, tenant: Tenant, token: AccessToken, application: RemoteApplication, value: Plaintext
    ) -> RemoteApplication:
        """Return the application as it is: nothing more can be known of a secret."""
        return application

    def matches(self, credential: RemoteCredential, value: Plaintext) -> bool:
        """Whether the hint of a listed secret equals the first three characters of the value."""
        return credential.hint is not None and credential.hint == value.hint()

    def add(
        self, tenant: Tenant, token: AccessToken, signer: Plaintext | None, order: CredentialRequest
    ) -> IssuedCredential:
        """Ask for a new secret. NOT repeatable."""
        return self._provider.add_password(
            tenant, token, order.object_id, order.marker, order.ends_at, client_id=self._app_id
        )

    def remove(self, tenant: Tenant, token: AccessToken, signer: Plaintext | None, object_id: str, key_id: str) -> None:
        """Ask for removal. Repeatable."""
        self._provider.remove_password(tenant, token, object_id, key_id, client_id=self._app_id)


class CertificateKind:
    """Certificates: made here. Only the public part is sent, with a proof of possessing one that is registered already."""

    def __init__(
        self, provider: ApplicationOperations, graph: Graph, callers: GraphContexts, clock: Clock, keys: Keys
    ) -> None:
        self._provider = provider
        self._graph = graph
        self._callers = callers
        self._clock = clock
        self._keys = keys

    def policy(
        self, tenant: Tenant, token: AccessToken, application: RemoteApplication, lifetime: timedelta
    ) -> PolicyReport:
        """Say whether policies let a certificate be added that lives so long. Repeatable."""
        caller = self._callers(tenant, token, app_id=application.app_id, object_id=application.object_id)
        return Preflight(self._graph, caller, application, CERTIFICATES).report(lifetime)

    def make(self, marker: str, now: datetime, ends_at: datetime) -> MadeCredential | None:
        """Make a key pair and a certificate whose subject is the marker."""
        signing = new_pair(self._keys(), marker, now, ends_at)
        return MadeCredential(signing.packed(), signing.thumbprint)

    def sign_in(self, tenant: Tenant, app_id: str, value: Plaintext) -> AccessToken:
        """Get a fresh token with an assertion signed here; the key is never sent. Repeatable."""
        return self._provider.sign_in_by_certificate(tenant, app_id, SigningCertificate.unpacked(value))

    def application(
        self, tenant: Tenant, token: AccessToken, *, app_id: str | None = None, object_id: str | None = None
    ) -> RemoteApplication:
        """Read the application by client id or object id (exactly one) with its certificates. Repeatable."""
        if (app_id is None) == (object_id is None):
            raise ValueError("give either the client id or the object id")
        caller = self._callers(tenant, token, app_id=app_id, object_id=object_id)
        return self._graph.application_with_keys(caller, f"(appId='{app_id}')" if app_id else f"/{object_id}")

    def check_may_write(self, tenant: Tenant, token: AccessToken, application: RemoteApplication) -> None:
        """Do nothing: an application that proves to have one of its keys needs no permission to add and remove them."""

    def identified(
        self, tenant: Tenant, token: AccessToken, application: RemoteApplication, value: Plaintext
    ) -> RemoteApplication:
        """Return the application with certificates known by themselves, where what they are called tells too little."""
        if any(self.matches(credential, value) for credential in application.credentials):
            return application
        caller = self._callers(tenant, token, object_id=application.object_id)
        return self._graph.application_with_key_bytes(caller, f"/{application.object_id}")

    def matches(self, credential: RemoteCredential, value: Plaintext) -> bool:
        """Whether the listed certificate has the thumbprint of this one, by SHA-1 or SHA-256."""
        return credential.hint in thumbprints(SigningCertificate.unpacked(value))

    def add(
        self, tenant: Tenant, token: AccessToken, signer: Plaintext | None, order: CredentialRequest
    ) -> IssuedCredential:
        """Register the certificate that was made. NOT repeatable."""
        if order.made is None:
            raise ValueError("a certificate is made before it is registered")
        caller = self._callers(tenant, token, object_id=order.object_id)
        signing = SigningCertificate.unpacked(order.made)
        return self._graph.add_key(caller, order.object_id, order.marker, signing, self._proof(signer, order.object_id))

    def remove(self, tenant: Tenant, token: AccessToken, signer: Plaintext | None, object_id: str, key_id: str) -> None:
        """Ask for removal. Repeatable."""
        caller = self._callers(tenant, token, object_id=object_id)
        self._graph.remove_key(caller, object_id, key_id, self._proof(signer, object_id))

    def _proof(self, signer: Plaintext | None, object_id: str) -> Plaintext:
        if signer is None:
            raise ValueError("only an application that has a certificate registers and removes its own")
        return proof_of_possession(SigningCertificate.unpacked(signer), object_id, self._clock.now())


def kinds(
    provider: ApplicationOperations, graph: Graph, callers: GraphContexts, clock: Clock, keys: Keys, app_id: str | None
) -> dict[str, CredentialKind]:
    """Return the kinds by the method of the connections that sign in with them."""
    return {
        "client-secret": ClientSecretKind(provider, graph, callers, app_id),
        "certificate": CertificateKind(provider, graph, callers, clock, keys),
    }
