"""What people paste into a connection, checked before anything is sent: pure functions.

The most common mistakes each get their own code and explanation, since Entra ID answers them all alike.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keyturn.kit.ids import is_uuid
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.manifest import LONGEST_PEM, LONGEST_SECRET, MANIFEST

_DOMAIN = re.compile(r"(?=.{4,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+")
_NO_TENANT = frozenset({"common", "organizations", "consumers"})
_BARE = re.compile(r"MII[A-Za-z0-9+/=\s]{100,}")
_OVERVIEW = "Portal: Entra ID > App registrations > the application > Overview."


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one field; ``fix`` says what to paste instead. Never holds the pasted value of a secret."""

    field: str
    code: str
    message: str
    fix: str

    def issue(self) -> dict[str, object]:
        """Return it as one issue of ``errors.Invalid``."""
        return {"code": self.code, "message": f"{self.message} {self.fix}", "path": ["credentials", self.field]}


def tenant_fault(text: str) -> Fault | None:
    """Check a tenant: its id, or one of its domains."""
    if is_uuid(text) or (_DOMAIN.fullmatch(text) and not _NO_TENANT & {text.lower()}):
        return None
    if text.lower() in _NO_TENANT:
        message = f"'{text.lower()}' is not one tenant."
    else:
        message = "The tenant is not a UUID (00000000-0000-0000-0000-000000000000)."
    return Fault("tenantId", "azure.tenant_malformed", message, f"Paste Directory (tenant) ID. {_OVERVIEW}")


def client_id_fault(text: str) -> Fault | None:
    """Check a client id."""
    if is_uuid(text):
        return None
    return Fault(
        "clientId",
        "azure.client_id_malformed",
        "The client id is not a UUID (00000000-0000-0000-0000-000000000000).",
        f"Paste Application (client) ID. {_OVERVIEW}",
    )


def client_secret_fault(secret: Plaintext) -> Fault | None:
    """Check a client secret: not empty, not its own id, not a certificate, not longer than any secret."""
    text = secret.reveal()
    if not text.strip():
        return _secret_fault("azure.secret_empty", "The client secret is empty.")
    if is_uuid(text.strip()):
        return _secret_fault("azure.secret_id_pasted", "This is the Secret ID of a client secret, not its Value.")
    if "-----BEGIN" in text or (len(text) > LONGEST_SECRET and text.startswith("MII")):
        return _secret_fault("azure.certificate_pasted", "This is a certificate or a key, not a client secret.")
    if len(text) > 100 and text.startswith("eyJ") and text.count(".") == 2:
        return _secret_fault("azure.token_pasted", "This is a token, not a client secret.")
    if len(text) > LONGEST_SECRET:
        return _secret_fault("azure.secret_too_long", f"A client secret has at most {LONGEST_SECRET} characters.")
    if any(letter.isspace() or not letter.isprintable() for letter in text):
        return _secret_fault("azure.secret_malformed", "The client secret holds a space, a line break or the like.")
    return None


def key_id_fault(text: str) -> Fault | None:
    """Check the key id (Secret ID) of a client secret; empty means: find it."""
    if not text or is_uuid(text):
        return None
    return Fault(
        "clientSecretKeyId",
        "azure.key_id_malformed",
        "The Secret ID is not a UUID (00000000-0000-0000-0000-000000000000).",
        "Leave it empty to have it found, or paste Secret ID. Portal: Certificates & secrets > Client secrets.",
    )


def certificate_fault(text: str) -> Fault | None:
    """Check that the text holds a certificate in PEM form, and tell what else it is."""
    if len(text) > LONGEST_PEM:
        return _certificate_fault(f"A certificate has at most {LONGEST_PEM} characters.")
    if "-----BEGIN CERTIFICATE-----" in text or "-----BEGIN X509 CERTIFICATE-----" in text:
        return None
    if "PRIVATE KEY-----" in text:
        return _certificate_fault("This is a private key, not the certificate.", "azure.key_pasted")
    if "-----BEGIN CERTIFICATE REQUEST-----" in text:
        return _certificate_fault("This is a request for a certificate, not the certificate.")
    if _BARE.fullmatch(text):
        return _certificate_fault("The first and the last line of the certificate are missing.")
    return _certificate_fault("This is not a certificate in PEM form.")


def private_key_fault(key: Plaintext) -> Fault | None:
    """Check that the text may be a private key: PEM, or bare base64 of PKCS#8."""
    text = key.reveal()
    if not text.strip():
        return _key_fault("The private key is empty.")
    if len(text) > LONGEST_PEM:
        return _key_fault(f"A private key has at most {LONGEST_PEM} characters.")
    if "PRIVATE KEY-----" in text or _BARE.fullmatch(text):
        return None
    if "-----BEGIN CERTIFICATE" in text:
        return _key_fault("This is a certificate, not its private key.", "azure.certificate_pasted")
    if "PUBLIC KEY-----" in text:
        return _key_fault("This is a public key, not the private key.")
    return _key_fault("This is not a private key in PEM form.")


def _certificate_fault(message: str, code: str = "azure.certificate_malformed") -> Fault:
    return Fault(
        "certificateBody",
        code,
        message,
        "Paste the whole text from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----. "
        "From a .cer file: `openssl x509 -inform der -in file.cer`. From a .pfx file: `openssl pkcs12 -in file.pfx -nokeys`.",
    )


def _key_fault(message: str, code: str = "azure.key_malformed") -> Fault:
    return Fault(
        "privateKey",
        code,
        message,
        "Paste the whole text from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----. "
        "From a .pfx file: `openssl pkcs12 -in file.pfx -nocerts -nodes`.",
    )


def faults(method: str, given: Mapping[str, str]) -> list[Fault]:
    """Check the trimmed fields of a method: those that must be there, and the shape of each. Empty: all is well.

    Raises KeyError for a method that the manifest does not have.
    """
    found: list[Fault] = []
    for field in MANIFEST.method(method).fields:
        text = given.get(field.name, "")
        if not text:
            if field.required:
                found.append(Fault(field.name, "azure.field_missing", f"{field.label} is missing.", field.help))
            continue
        fault = _CHECKS[field.rule](text) if field.rule in _CHECKS else None
        if fault:
            found.append(fault)
    return found


def trimmed(given: Mapping[str, str]) -> dict[str, str]:
    """Return the fields without the white space that copying drags along; ids in lower case."""
    return {
        name: text.strip().lower() if is_uuid(text.strip()) and name != "clientSecret" else text.strip()
        for name, text in given.items()
    }


def _secret_fault(code: str, message: str) -> Fault:
    return Fault(
        "clientSecret",
        code,
        message,
        "Paste the Value. It is shown only once, when the secret is made; if it is lost, make a new secret. "
        "Portal: Entra ID > App registrations > the application > Certificates & secrets > Client secrets. "
        "Command: `az ad app credential reset --id <client id> --append`.",
    )


_CHECKS: Mapping[str, Callable[[str], Fault | None]] = {
    "tenant": tenant_fault,
    "uuid": client_id_fault,
    "client-secret": lambda text: client_secret_fault(Plaintext(text)),
    "key-id": key_id_fault,
    "certificate": certificate_fault,
    "private-key": lambda text: private_key_fault(Plaintext(text)),
}
