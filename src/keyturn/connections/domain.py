"""App connections: stored credentials that sign in to an identity provider, shared by id.

What a user supplies (``SubmittedCredentials``) and what is stored afterwards (``StoredCredentials``) differ for OAuth: a code
is exchanged once.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """A stored connection. ``secret`` is sealed for :meth:`seal_context`; see :class:`SealedContent`.

    ``credential_id`` is the row of the journal that keeps its credential, where that is not in ``secret``. ``salt``, sealed, is
    that of the hash; None while the row is as versions before 0012 of the tables wrote it.

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
    credential_id: str | None = None
    salt: Sealed | None = None

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.cloud, self.tenant_id)

    @property
    def target(self) -> list[str]:
        """Where its credential may be sent, as it is sealed together with that."""
        return target_of(self.cloud, self.tenant_id, self.client_id)

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


def salt_context(connection_id: str) -> SealContext:
    return SealContext("app_connections", connection_id, "salt")


# --- sealing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SealedContent:
    """What is sealed in a connection: where its credential may be sent, and its value or which row of the journal has that.

    Neither for OAuth, whose refresh token lives in a row of its own. Rows as versions before 0012 of the tables wrote them
    hold the salt of the hash, too; the oldest of them no ``target``.
    """

    target: list[str] | None
    value: Plaintext | None = None
    credential_id: str | None = None
    salt: Plaintext | None = None

    def packed(self) -> Plaintext:
        """Return all but the salt as the one text that is sealed."""
        value = self.value.reveal() if self.value else None
        told = {"for": self.target, "value": value, "credential": self.credential_id}
        return Plaintext(json.dumps({name: part for name, part in told.items() if part is not None}))

    @classmethod
    def unpacked(cls, text: Plaintext, connection: Connection) -> "SealedContent":
        """Read what :meth:`packed` wrote, and what earlier versions did. Compares nothing: see :func:`unpack`."""
        data = json.loads(text.reveal())
        value, salt = data.get("value"), data.get("salt")
        return cls(
            data.get("for"),
            Plaintext(value) if value else _value_of_before(data, connection),
            data.get("credential"),
            Plaintext(salt) if salt else None,
        )


def _value_of_before(data: Mapping[str, Any], connection: Connection) -> Plaintext | None:
    """Read how a value was written before it was written as in the journal. What else there is to know is in the row."""
    if "clientSecret" in data:
        return Plaintext(data["clientSecret"])
    if "certificate" in data:
        if connection.ends_at is None:
            raise NeedsAction(
                f"It cannot be read when the certificate of '{connection.name}' ends.",
                code="connections.unreadable",
                fix="Restore its row from a backup, or enter the certificate of the connection again.",
            )
        key, thumbprint = Plaintext(data["privateKey"]), (connection.facts or {}).get("thumbprint", "")
        return SigningCertificate(data["certificate"], key, thumbprint, connection.ends_at).packed()
    return None


def target_of(cloud: str, tenant_id: str, client_id: str) -> list[str]:
    """Return where credentials may be sent, as it is sealed together with them."""
    return [cloud, tenant_id.lower(), client_id.lower()]


def unpack(packed: Plaintext, connection: Connection) -> SealedContent:
    """Read what is sealed. Raises NeedsAction when the connection names another cloud, tenant or application than it did."""
    content = SealedContent.unpacked(packed, connection)
    if not is_target(content.target, connection.tenant, connection.client_id):
        raise target_changed(connection.name)
    return content


def is_target(sealed: list[str] | None, tenant: Tenant, client_id: str) -> bool:
    """Say whether credentials sealed for this target may be sent there. What was sealed before there were targets may."""
    return sealed is None or sealed == target_of(tenant.cloud, tenant.tenant_id, client_id)


def target_changed(name: str) -> NeedsAction:
    return NeedsAction(
        f"The cloud, the tenant or the client id of '{name}' was changed in the database by something else than this server. "
        "Its credentials are not sent there.",
        code="connections.target_changed",
        fix="Find out who writes to the database. Then enter the credentials of the connection again.",
    )


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


def credentials_hash(credentials: ReadCredentials, salt: Plaintext) -> str:
    """Return a hash of what the user supplied: equal input, equal hash, for this connection.

    It does not change when the server rotates the secret or refreshes a token, so clients that compare it see no drift; and
    it tells whether a client merely sent again what it sent before. Keyed with a salt that is stored sealed, so it reveals
    nothing.
    """
    text = json.dumps([credentials.tenant_id.lower(), *_supplied(credentials)])
    return hmac.new(salt.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()


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
