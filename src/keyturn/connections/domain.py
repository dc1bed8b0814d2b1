"""App connections: stored credentials that sign in to an identity provider, shared by id.

What a user supplies (``SubmittedCredentials``) and what is stored afterwards (``StoredCredentials``) differ for OAuth: a code
is exchanged once.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from keyturn.errors import NeedsAction
from keyturn.kit.moments import moved
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.ports.provider import Grant, SigningCertificate, Tenant

APP = "azure-client-secrets"
WARN_BEFORE_END = timedelta(days=30)


class Method(StrEnum):
    OAUTH = "oauth"
    CLIENT_SECRET = "client-secret"
    CERTIFICATE = "certificate"


# --- credentials ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClientSecret:
    """What a connection of the method ``client-secret`` signs in with, as a user types it."""

    tenant_id: str
    client_id: str
    secret: Plaintext
    key_id: str | None = None


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate as a user pastes it, not yet looked at. The passphrase is used once and never stored."""

    tenant_id: str
    client_id: str
    certificate: str = field(repr=False)
    """May hold the private key as well."""
    private_key: Plaintext
    passphrase: Plaintext | None = None


@dataclass(frozen=True)
class Certificate:
    """What a connection of the method ``certificate`` signs in with: checked, the key belongs to it."""

    tenant_id: str
    client_id: str
    signing: SigningCertificate


@dataclass(frozen=True)
class AuthorizationCode:
    """What a browser brought from a sign-in. ``verifier`` and ``nonce`` are known of sign-ins that began here."""

    tenant_id: str
    code: Plaintext
    verifier: Plaintext | None = None
    nonce: str | None = None


@dataclass(frozen=True)
class OAuthGrant:
    """What a connection of the method ``oauth`` has: a person's consent to ``client_id``, this server's application."""

    tenant_id: str
    client_id: str
    refresh_token: Plaintext
    account: str | None

    @classmethod
    def of(cls, grant: Grant, client_id: str) -> "OAuthGrant":
        """Raises ValueError for a grant that does not last."""
        if grant.refresh_token is None:
            raise ValueError("a grant without a refresh token")
        return cls(grant.tenant_id, client_id, grant.refresh_token, grant.account)


SubmittedCredentials = ClientSecret | CertificateFiles | AuthorizationCode
"""As it comes from a user."""
ReadCredentials = ClientSecret | Certificate | AuthorizationCode
"""After the checks that need no network."""
StoredCredentials = ClientSecret | Certificate | OAuthGrant
"""After the provider accepted them: what is stored."""

_METHODS = {
    ClientSecret: Method.CLIENT_SECRET,
    CertificateFiles: Method.CERTIFICATE,
    Certificate: Method.CERTIFICATE,
    AuthorizationCode: Method.OAUTH,
    OAuthGrant: Method.OAUTH,
}


def method_of(credentials: SubmittedCredentials | ReadCredentials | StoredCredentials) -> Method:
    return _METHODS[type(credentials)]


@dataclass(frozen=True)
class VerifiedCredentials:
    """Credentials that the provider accepted, and what they came from. ``accepted_at`` is by the provider's clock."""

    given: ReadCredentials
    credentials: StoredCredentials
    accepted_at: datetime


@dataclass(frozen=True)
class NewConnection:
    """A connection to be made."""

    name: str
    credentials: SubmittedCredentials
    description: str | None = None
    project_id: str | None = None


# --- connections ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connection:
    """A stored connection. ``secret`` is sealed for :meth:`seal_context`: credentials (but for OAuth) and the salt of the hash.

    ``ends_at`` is when its certificate ends; ``facts`` may be shown: ``thumbprint``, or the ``account`` that consented.
    ``fingerprint`` is that of the credential of version ``fingerprint_version``: see ``connections.fingerprints``.
    ``published_at``: since when it has its credential; ``refused_at`` and ``refusal``: since when the provider refuses it, and
    why; ``look_at``: when that is looked at again.
    """

    id: str
    org_id: str
    project_id: str | None
    name: str
    description: str | None
    app: str
    method: Method
    cloud: str
    tenant_id: str
    client_id: str
    secret: Sealed
    secret_version: int
    credentials_hash: str
    version: int
    created_at: datetime
    updated_at: datetime
    checked_at: datetime | None = None
    check_result: dict[str, Any] | None = None
    ends_at: datetime | None = None
    facts: dict[str, Any] | None = None
    fingerprint: str | None = field(default=None, repr=False)
    fingerprint_version: int = 0
    look_at: datetime | None = None
    published_at: datetime | None = None
    refused_at: datetime | None = None
    refusal: dict[str, Any] | None = None

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.cloud, self.tenant_id)

    @property
    def seal_context(self) -> SealContext:
        return seal_context(self.id, self.secret_version)

    @property
    def needs_reconnect(self) -> bool:
        """Whether only a person who signs in can make it work again."""
        return bool(self.check_result and self.check_result.get("needsReconnect"))

    def warning(self, now: datetime) -> str | None:
        """Say in good time that the credentials will end by themselves."""
        if self.ends_at is None or now < moved(self.ends_at, -WARN_BEFORE_END):
            return None
        if now >= self.ends_at:
            return f"The certificate expired on {self.ends_at:%Y-%m-%d}. Upload a new one, and enter it here."
        days = (self.ends_at - now).days
        when = "today" if days == 0 else "in 1 day" if days == 1 else f"in {days} days"
        return f"The certificate expires {when}, on {self.ends_at:%Y-%m-%d}. Upload a new one, and enter it here."


def seal_context(connection_id: str, version: int) -> SealContext:
    return SealContext("app_connections", connection_id, "secret", version)


# --- sealing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UnsealedCredentials:
    """What was sealed. ``credentials`` is None for OAuth, whose refresh token lives in a row of its own.

    ``bound`` says whether it holds where it may be sent; what earlier versions sealed does not.
    """

    credentials: ClientSecret | Certificate | None
    salt: str = field(repr=False)
    bound: bool = True


def pack(credentials: StoredCredentials, salt: str, cloud: str) -> Plaintext:
    """Put credentials, the salt of their hash and where they may be sent into the one value that is sealed."""
    target = _target(cloud, credentials.tenant_id, credentials.client_id)
    return Plaintext(json.dumps(_packed(credentials) | {"salt": salt, "for": target}))


def _target(cloud: str, tenant_id: str, client_id: str) -> list[str]:
    return [cloud, tenant_id.lower(), client_id.lower()]


def bind(packed: Plaintext, connection: Connection) -> Plaintext:
    """Return what an earlier version sealed together with where it may be sent: as the connection says now."""
    target = _target(connection.cloud, connection.tenant_id, connection.client_id)
    return Plaintext(json.dumps(json.loads(packed.reveal()) | {"for": target}))


def _packed(credentials: StoredCredentials) -> dict[str, str]:
    if isinstance(credentials, ClientSecret):
        return {"clientSecret": credentials.secret.reveal()}
    if isinstance(credentials, Certificate):
        signing = credentials.signing
        return {"certificate": signing.chain, "privateKey": signing.private_key.reveal()}
    return {}


def salt_of(packed: Plaintext) -> str:
    """Return the salt of the hash, for comparing and replacing credentials that are not sent anywhere."""
    return str(json.loads(packed.reveal())["salt"])


def unpack(packed: Plaintext, connection: Connection) -> UnsealedCredentials:
    """Read what is sealed. Raises NeedsAction when the connection names another cloud, tenant or application than it did."""
    data = json.loads(packed.reveal())
    if not is_target(data.get("for"), connection.tenant, connection.client_id):
        raise target_changed(connection.name)
    unsealed = _opened(data, connection)
    return unsealed if "for" in data else replace(unsealed, bound=False)


def is_target(sealed: list[str] | None, tenant: Tenant, client_id: str) -> bool:
    """Say whether credentials sealed for this target may be sent there. What was sealed before there were targets may."""
    return sealed is None or sealed == _target(tenant.cloud, tenant.tenant_id, client_id)


def target_changed(name: str) -> NeedsAction:
    return NeedsAction(
        f"The cloud, the tenant or the client id of '{name}' was changed in the database by something else than this server. "
        "Its credentials are not sent there.",
        code="connections.target_changed",
        fix="Find out who writes to the database. Then enter the credentials of the connection again.",
    )


def _opened(data: Mapping[str, Any], connection: Connection) -> UnsealedCredentials:
    tenant_id, client_id = connection.tenant_id, connection.client_id
    if connection.method is Method.CLIENT_SECRET:
        return UnsealedCredentials(ClientSecret(tenant_id, client_id, Plaintext(data["clientSecret"])), data["salt"])
    if connection.method is Method.CERTIFICATE and connection.ends_at:
        key, thumbprint = Plaintext(data["privateKey"]), (connection.facts or {}).get("thumbprint", "")
        signing = SigningCertificate(data["certificate"], key, thumbprint, connection.ends_at)
        return UnsealedCredentials(Certificate(tenant_id, client_id, signing), data["salt"])
    return UnsealedCredentials(None, data["salt"])


Rotatable = ClientSecret | Certificate
"""What can be replaced by something of its kind that this server asked for."""


def value_of(credentials: Rotatable) -> Plaintext:
    """Return what signs in as the one text that the provider's kind of credential reads."""
    return credentials.secret if isinstance(credentials, ClientSecret) else credentials.signing.packed()


def renewed(connection: Connection, value: Plaintext) -> Rotatable:
    """Return the credentials of the connection's method with a new value, as :func:`value_of` writes it."""
    if connection.method is Method.CERTIFICATE:
        return Certificate(connection.tenant_id, connection.client_id, SigningCertificate.unpacked(value))
    return ClientSecret(connection.tenant_id, connection.client_id, value)


def credentials_hash(credentials: ReadCredentials, salt: str) -> str:
    """Return a hash of what the user supplied: equal input, equal hash, for this connection.

    It does not change when the server rotates the secret or refreshes a token, so clients that compare it see no drift; and
    it tells whether a client merely sent again what it sent before. Keyed with a salt that is stored sealed, so it reveals
    nothing.
    """
    text = json.dumps([credentials.tenant_id.lower(), *_supplied(credentials)])
    return hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest()


def _supplied(credentials: ReadCredentials) -> list[str]:
    if isinstance(credentials, ClientSecret):
        return [credentials.client_id.lower(), credentials.secret.reveal()]
    if isinstance(credentials, Certificate):
        return [credentials.client_id.lower(), credentials.signing.chain, credentials.signing.private_key.reveal()]
    return [credentials.code.reveal()]


def facts_of(credentials: StoredCredentials) -> dict[str, Any] | None:
    """What lists may show without decrypting anything."""
    if isinstance(credentials, Certificate):
        return {"thumbprint": credentials.signing.thumbprint}
    if isinstance(credentials, OAuthGrant):
        return {"account": credentials.account}
    return None


def end_of(credentials: StoredCredentials) -> datetime | None:
    return credentials.signing.expires_at if isinstance(credentials, Certificate) else None
