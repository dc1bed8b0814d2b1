"""What the product needs of an identity provider. The adapters live in ``providers``."""

import json
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.preflight import PolicyReport


@dataclass(frozen=True)
class Trust:
    """What an application trusts: the tokens that this issuer signs for this subject and audience."""

    issuer: str
    subject: str
    audience: str

    @property
    def identity(self) -> tuple[str, str]:
        """Who is trusted: an application can trust the same one for one audience only."""
        return self.issuer, self.subject


@dataclass(frozen=True)
class Tenant:
    """A directory: the cloud's name (a key of the provider's table of clouds) and the tenant id."""

    cloud: str
    tenant_id: str


@dataclass(frozen=True)
class AccessToken:
    """A token for the management API. Opaque. What it claims to permit is for advice only.

    ``client_id`` is the application that signed in, or through which a person did. ``roles`` are permissions of an
    application. A token ``on_behalf`` of a person has ``scopes`` instead, which permit no more than the person may do;
    ``directory_roles`` are the ids of that person's roles in the directory.
    """

    value: Plaintext
    expires_at: datetime
    roles: tuple[str, ...] = ()
    principal_id: str | None = None
    on_behalf: bool = False
    scopes: tuple[str, ...] = ()
    directory_roles: tuple[str, ...] = ()
    client_id: str | None = None


@dataclass(frozen=True)
class Capability:
    """One thing that a token may or may not do. ``allowed`` is None when the token does not tell."""

    name: str
    allowed: bool | None
    message: str
    fix: str | None = None


@dataclass(frozen=True)
class SigningCertificate:
    """A certificate that was checked, with the key that belongs to it. The key signs here and is never sent.

    ``chain`` is PEM, the certificate itself first; ``thumbprint`` is the one that portals show; the key is PEM of PKCS#8.
    """

    chain: str
    private_key: Plaintext
    thumbprint: str
    expires_at: datetime

    def packed(self) -> Plaintext:
        """Return all of it as the one text that is sealed."""
        facts = {"thumbprint": self.thumbprint, "expiresAt": self.expires_at.isoformat()}
        return Plaintext(json.dumps({"certificate": self.chain, "privateKey": self.private_key.reveal()} | facts))

    @classmethod
    def unpacked(cls, value: Plaintext) -> "SigningCertificate":
        """Read what :meth:`packed` wrote."""
        data = json.loads(value.reveal())
        ends = datetime.fromisoformat(data["expiresAt"])
        return cls(data["certificate"], Plaintext(data["privateKey"]), data["thumbprint"], ends)


@dataclass(frozen=True)
class OAuthApp:
    """This server's own application at the provider, which people let act for them."""

    client_id: str
    secret: Plaintext
    redirect_uri: str


@dataclass(frozen=True)
class Grant:
    """What a person let this server do. ``refresh_token`` is None when the provider gave no new one."""

    tenant_id: str
    token: AccessToken
    refresh_token: Plaintext | None
    account: str | None = None


@dataclass(frozen=True)
class RemoteCredential:
    """A credential as the provider lists it: never its value. ``hint`` is what tells it from others beside its name.

    That is the first three characters of a client secret, and the thumbprint of a certificate.
    """

    key_id: str
    name: str | None
    hint: str | None
    starts_at: datetime | None
    ends_at: datetime | None


class Principal(StrEnum):
    """What a tenant has of an application for those who sign in as it."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    MISSING = "missing"


@dataclass(frozen=True)
class RemoteApplication:
    """An application object with its credentials of one kind; ``slots`` is how many it may hold (None: no small limit).

    ``deactivated``: nobody signs in as it, in any tenant, until it is activated again.
    """

    object_id: str
    app_id: str
    name: str
    audience: str
    credentials: tuple[RemoteCredential, ...]
    slots: int | None
    deactivated: bool = False


@dataclass(frozen=True)
class ApplicationSummary:
    object_id: str
    app_id: str
    name: str


@dataclass(frozen=True)
class ApplicationListing:
    """An application as it is listed for choosing one, with its secrets. ``owners`` are names; empty where they are not told."""

    object_id: str
    app_id: str
    name: str
    credentials: tuple[RemoteCredential, ...]
    owners: tuple[str, ...] = ()

    def living_ends(self, now: datetime) -> list[datetime]:
        """Return when each of its secrets that has not ended will, the first one first."""
        return sorted(secret.ends_at for secret in self.credentials if secret.ends_at and secret.ends_at > now)


@dataclass(frozen=True)
class ApplicationPage:
    """A page of a list of applications. ``cursor`` asks for the next one; None: there is none."""

    applications: tuple[ApplicationListing, ...]
    cursor: str | None = None


@dataclass(frozen=True)
class IssuedCredential:
    """The answer to a request for a new secret. The value is given exactly once."""

    key_id: str
    hint: str | None
    value: Plaintext
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class MadeCredential:
    """A new credential that was made here and that the provider has not heard of yet."""

    value: Plaintext
    hint: str


@dataclass(frozen=True)
class CredentialRequest:
    """A request for a new credential. ``made`` is what :meth:`CredentialKind.make` made for it, if this kind is made here."""

    object_id: str
    marker: str
    ends_at: datetime
    made: Plaintext | None = None


class CredentialKind(Protocol):
    """All in which one kind of credential differs from another. No write is repeated.

    Calls raise Retryable (Unanswered when a write may have been carried out; NotYet for refusals that replication explains),
    NeedsAction or Permanent, each with cause and fix, and never with a secret in the text.

    A ``value`` is what signs in, in the form in which the kind writes it: nobody else looks into it. A ``signer`` is the value
    of the application's own credential that signed in for the token; None where somebody else did.
    """

    def make(self, marker: str, now: datetime, ends_at: datetime) -> MadeCredential | None:
        """Make a new credential here; None where the provider makes it. No network. To be sealed before it is asked for."""

    def sign_in(self, tenant: Tenant, app_id: str, value: Plaintext) -> AccessToken:
        """Get a fresh token: no cache of any kind, so success proves the credential. Repeatable."""

    def application(
        self, tenant: Tenant, token: AccessToken, *, app_id: str | None = None, object_id: str | None = None
    ) -> RemoteApplication:
        """Read the application (by exactly one of the ids) with its credentials of this kind. Repeatable."""

    def check_may_write(self, tenant: Tenant, token: AccessToken, application: RemoteApplication) -> None:
        """Raise NeedsAction unless credentials of this kind may be added and removed. Changes nothing."""

    def policy(
        self, tenant: Tenant, token: AccessToken, application: RemoteApplication, lifetime: timedelta
    ) -> PolicyReport:
        """Say whether the tenant's policies let one be added that lives so long. Raises nothing of the provider's. Repeatable."""

    def identified(
        self, tenant: Tenant, token: AccessToken, application: RemoteApplication, value: Plaintext
    ) -> RemoteApplication:
        """Read again what may tell which credential has this value, if the list did not. Repeatable."""

    def matches(self, credential: RemoteCredential, value: Plaintext) -> bool:
        """Say whether a listed credential may be the one with this value. Pure."""

    def add(
        self, tenant: Tenant, token: AccessToken, signer: Plaintext | None, order: CredentialRequest
    ) -> IssuedCredential:
        """Ask for a new credential. NOT repeatable: each call may make one."""

    def remove(self, tenant: Tenant, token: AccessToken, signer: Plaintext | None, object_id: str, key_id: str) -> None:
        """Ask for removal. Repeatable. Returns also when the provider says it has no such key: that is a hint, not proof."""
