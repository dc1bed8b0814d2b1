"""What the sign-in methods and the kinds of credentials need of Entra ID and Graph."""

from collections.abc import Mapping
from datetime import datetime
from typing import NoReturn, Protocol

from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import (
    AccessToken,
    CredentialKind,
    Grant,
    IssuedCredential,
    OAuthApp,
    RemoteApplication,
    SigningCertificate,
    Tenant,
    Trust,
)


class SecretOperations(Protocol):
    """Signing in with client secrets, and changing those of an application.

    Every method makes network calls; none repeats a write.

    All raise Retryable (Unanswered when a write may have been carried out; NotYet for refusals that replication explains),
    NeedsAction or Permanent, each with cause and fix, and never with a secret in the text.
    """

    def sign_in(self, tenant: Tenant, app_id: str, secret: Plaintext) -> AccessToken:
        """Get a fresh token with the secret: no cache of any kind, so success proves the secret. Repeatable."""

    def application(
        self,
        tenant: Tenant,
        token: AccessToken,
        *,
        app_id: str | None = None,
        object_id: str | None = None,
        client_id: str | None = None,
    ) -> RemoteApplication:
        """Read the application by client id or object id (exactly one). ``client_id`` is for messages. Repeatable."""

    def check_may_write(self, tenant: Tenant, token: AccessToken, application: RemoteApplication) -> None:
        """Raise NeedsAction unless the token may add and remove secrets of the application. Changes nothing."""

    def add_password(
        self,
        tenant: Tenant,
        token: AccessToken,
        object_id: str,
        marker: str,
        ends_at: datetime,
        *,
        client_id: str | None = None,
    ) -> IssuedCredential:
        """Ask for a new secret named by the marker. NOT repeatable: each call may make one."""

    def remove_password(
        self, tenant: Tenant, token: AccessToken, object_id: str, key_id: str, *, client_id: str | None = None
    ) -> None:
        """Ask for removal. Repeatable. Returns also when the provider says it has no such key: that is a hint, not proof."""

    def tenant_id(self, tenant: Tenant) -> str:
        """Return the id of a tenant that is named by one of its domains. Raises NeedsAction for none. Repeatable."""

    def kind(self, name: str, *, app_id: str | None = None) -> CredentialKind:
        """Return the kind of credential that connections of this method sign in with. Raises KeyError for others. Pure.

        ``app_id`` is the client id of the application that is worked on by its object id: messages name it.
        """


class CertificateOperations(Protocol):
    """Signing in with a certificate."""

    def read_certificate(
        self, certificate: str, private_key: Plaintext, passphrase: Plaintext | None, now: datetime | None
    ) -> SigningCertificate:
        """Read what a user pasted. Repeatable. Raises Refused, naming the field; dates count only with ``now``."""

    def sign_in_by_certificate(self, tenant: Tenant, app_id: str, certificate: SigningCertificate) -> AccessToken:
        """Get a fresh token with an assertion signed here. Raises as ``sign_in`` does. Repeatable."""


class AssertionOperations(Protocol):
    """Signing in with a token of another issuer."""

    def token_audience(self, tenant: Tenant) -> str:
        """Return for whom a token must be that is exchanged in this cloud. Pure."""

    def sign_in_by_assertion(self, tenant: Tenant, app_id: str, token: Plaintext) -> AccessToken:
        """Get a fresh token for a token of another issuer. Raises as ``sign_in`` does. Repeatable."""

    def trusts(self, tenant: Tenant, token: AccessToken, object_id: str) -> Mapping[str, Trust]:
        """List the federated credentials of an application, by name. Repeatable."""

    def add_trust(self, tenant: Tenant, token: AccessToken, object_id: str, name: str, trust: Trust) -> None:
        """Add a federated credential. Raises Unanswered when it may have been made."""

    def remove_trust(self, tenant: Tenant, token: AccessToken, object_id: str, name: str) -> None:
        """Remove a federated credential. Repeatable. Returns also when Graph finds none: that is a hint, not proof."""


class OAuthOperations(Protocol):
    """Acting for a person who signed in with a browser. Raises as ``SecretOperations`` does."""

    def authorize_url(self, tenant: Tenant, app: OAuthApp, *, state: str, nonce: str, challenge: str) -> str:
        """Return where to send the browser. Raises NeedsAction for what is not one existing tenant. Repeatable."""

    def redeem(
        self, tenant: Tenant, app: OAuthApp, code: Plaintext, *, verifier: Plaintext | None, nonce: str | None
    ) -> Grant:
        """Exchange the code that the browser brought. NOT repeatable: a code is good for one use.

        Raises NeedsAction also when the answer belongs to another tenant, another sign-in (``nonce``) or another application.
        """

    def refresh(self, tenant: Tenant, app: OAuthApp, refresh_token: Plaintext) -> Grant:
        """Get a fresh token. Raises SignInAgain when only the person can help. Repeatable."""

    def refuse(self, tenant: Tenant, app: OAuthApp, answer: Mapping[str, str]) -> NoReturn:
        """Raise what the callback says instead of bringing a code: NeedsAction, Retryable or Permanent."""


class ApplicationOperations(SecretOperations, CertificateOperations, AssertionOperations, Protocol):
    """All by which an application signs in for itself and changes its credentials."""
