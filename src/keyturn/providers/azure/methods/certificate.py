"""Signing in with a certificate: an assertion is signed here, and the key never leaves this server."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, ClassVar

from keyturn.errors import NeedsAction
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.fields import Field, FieldFault, as_it_is
from keyturn.ports.provider import (
    AccessToken,
    Capability,
    RemoteApplication,
    RemoteCredential,
    SigningCertificate,
    Tenant,
)
from keyturn.ports.sign_in import CredentialWords, PermissionReport
from keyturn.providers.azure.key_pairs import leaf_digest
from keyturn.providers.azure.manifest import APP
from keyturn.providers.azure.methods.certificate_match import match_certificate
from keyturn.providers.azure.methods.fields import CLIENT, TENANT, key_id, pem
from keyturn.providers.azure.methods.of_application import ApplicationMethod
from keyturn.providers.azure.survey import CERTIFICATE, Pasted, survey
from keyturn.providers.azure.survey import KEY as PRIVATE_KEY

KEY = "certificate"
BODY = pem(
    CERTIFICATE,
    "Certificate (PEM format)",
    "The certificate in PEM form, from -----BEGIN CERTIFICATE----- to the end; or a file of any form, also .pfx with its key.",
    secret=False,
)
PRIVATE = pem(
    PRIVATE_KEY,
    "Private Key",
    "Its private key: PEM (PKCS#8 or PKCS#1) or bare base64. Not needed beside a .pfx file. It signs on this server and is never "
    "sent to Microsoft.",
    secret=True,
)
PASSPHRASE = Field(
    "passphrase",
    "Passphrase",
    "Only for an encrypted private key or a .pfx file. Used once, to read the key; never stored.",
    secret=True,
    required=False,
    longest=1024,
    plain=as_it_is,
    max_length=1024,
    description="Of an encrypted private key. Used once, never stored.",
)
_ITSELF_ALONE = (
    "Its own certificate may be replaced, by proof of possessing it. "
    "Client secrets, its own or of other applications, may not be added and removed."
)


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate as a user pastes it, not yet looked at. The passphrase is used once and never stored."""

    tenant_id: str
    client_id: str
    certificate: str = field(repr=False)
    """May hold the private key as well."""
    private_key: Plaintext
    passphrase: Plaintext | None = None
    app: ClassVar[str] = APP
    method: ClassVar[str] = KEY
    key_id: ClassVar[str | None] = None


@dataclass(frozen=True)
class Certificate:
    """What a connection of this method signs in with: checked, the key belongs to it."""

    tenant_id: str
    client_id: str
    signing: SigningCertificate
    app: ClassVar[str] = APP
    method: ClassVar[str] = KEY
    key_id: ClassVar[str | None] = None


class CertificateMethod(ApplicationMethod[Certificate]):
    """``ports.sign_in.SignInMethod`` for certificates."""

    key = KEY
    label = "Certificate"
    help = (
        "An application signs in with a certificate whose public part was uploaded to it, and which can then be rotated "
        "automatically."
    )
    words = CredentialWords(
        "certificate", "certificate", "key with its certificate", "private key", others_use_it=False
    )
    signed_in = "The certificate signs in."
    credential_field = CERTIFICATE
    fields: Sequence[Field] = (TENANT, CLIENT, BODY, PRIVATE, PASSPHRASE)
    rotation_fields: Sequence[Field] = (key_id("certificateKeyId"),)
    schema_name = "Certificate"
    schema_help = (
        "Credentials of the method ``certificate``. The private key signs on this server, and is never sent to Microsoft.\n\n"
        "To be rotated automatically, the certificate must be listed on the application by its thumbprint."
    )

    def faults(self, value: Callable[[str], Any]) -> Iterable[FieldFault]:
        for fault in survey(Pasted.of(value(CERTIFICATE).reveal(), value(PRIVATE_KEY))):
            yield FieldFault(fault.field, f"{fault.message} {fault.fix}")

    def supplied(self, values: Mapping[str, Any]) -> CertificateFiles:
        body, passphrase = values[CERTIFICATE].reveal(), values.get(PASSPHRASE.name) or None
        return CertificateFiles(values[TENANT.name], values[CLIENT.name], body, values[PRIVATE_KEY], passphrase)

    def read(self, credentials: CertificateFiles | Certificate, now: datetime | None) -> Certificate:
        """Read files; what was read before, and waited for somebody since, is returned as it is."""
        if isinstance(credentials, Certificate):
            return credentials
        files = credentials
        signing = self._provider.read_certificate(files.certificate, files.private_key, files.passphrase, now)
        return Certificate(files.tenant_id, files.client_id, signing)

    def sign_in(self, tenant: Tenant, credentials: Certificate) -> AccessToken:
        return self._provider.sign_in_by_certificate(tenant, credentials.client_id, credentials.signing)

    def hashed(self, credentials: Certificate) -> Sequence[str]:
        signing = credentials.signing
        return [credentials.client_id.lower(), signing.chain, signing.private_key.reveal()]

    def value(self, credentials: Certificate) -> Plaintext:
        return credentials.signing.packed()

    def of_value(self, tenant_id: str, client_id: str, value: Plaintext) -> Certificate:
        return Certificate(tenant_id, client_id, SigningCertificate.unpacked(value))

    def value_of_parts(
        self, parts: Mapping[str, Plaintext], facts: Mapping[str, Any], ends_at: datetime | None
    ) -> Plaintext | None:
        """What else there is to know of a certificate is in the connection's row. Raises NeedsAction without its end there."""
        if "certificate" not in parts:
            return None
        if ends_at is None:
            raise NeedsAction(
                "It cannot be read when the certificate of the connection ends.",
                code="connections.unreadable",
                fix="Restore its row from a backup, or enter the certificate of the connection again.",
            )
        chain, thumbprint = parts["certificate"].reveal(), facts.get("thumbprint", "")
        return SigningCertificate(chain, parts["privateKey"], thumbprint, ends_at).packed()

    def fingerprint(self, value: Plaintext) -> str:
        """Return SHA-256 of the certificate itself: what else was pasted with it does not matter."""
        return leaf_digest(SigningCertificate.unpacked(value))

    def facts(self, credentials: Certificate) -> dict[str, Any]:
        return {"thumbprint": credentials.signing.thumbprint}

    def ends_at(self, credentials: Certificate) -> datetime:
        return credentials.signing.expires_at

    def match(
        self,
        listed: Sequence[RemoteCredential],
        credentials: Certificate,
        now: datetime,
        key_id: str | None,
        *,
        confirmed: bool,
    ) -> RemoteCredential:
        return match_certificate(listed, credentials.signing, now, key_id, confirmed=confirmed)

    def permission(
        self, tenant: Tenant, token: AccessToken, application: RemoteApplication, may: Sequence[Capability]
    ) -> PermissionReport:
        """Say that it may replace itself at least: for that it needs no permission."""
        try:
            self._provider.check_may_write(tenant, token, application)
        except NeedsAction as refusal:
            return PermissionReport(_ITSELF_ALONE, refusal.fix)
        return PermissionReport("Its secrets may be added and removed.")
