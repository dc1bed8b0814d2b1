"""What people paste into a connection, checked before anything is sent: pure functions.

The most common mistakes each get their own code and explanation, since Entra ID answers them all alike.
"""

import json
import re

from keyturn.kit import pasted
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import is_uuid
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.manifest import LONGEST_SECRET

_DOMAIN = re.compile(r"(?=.{4,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+")
_MASKED = re.compile(r".{0,8}?[*\u2022\u25cf]{5,}")
"""What the portal shows of a secret once its page was left."""
_NO_TENANT = frozenset({"common", "organizations", "consumers"})
_LIKE = "which looks like 0b5e8f6a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"
_OVERVIEW = "Portal: Entra ID > App registrations > the application > Overview."


@dataclass(frozen=True)
class PasteFault:
    """One thing wrong with one field; ``fix`` says what to paste instead. Never holds the pasted value of a secret."""

    field: str
    code: str
    message: str
    fix: str

    def issue(self) -> dict[str, object]:
        """Return it as one issue of ``errors.Invalid``."""
        return {"code": self.code, "message": f"{self.message} {self.fix}", "path": ["credentials", self.field]}


def tenant_fault(text: str) -> PasteFault | None:
    """Check a tenant: its id, or one of its domains."""
    if is_uuid(text) or (_DOMAIN.fullmatch(text) and not _NO_TENANT & {text.lower()}):
        return None
    if text.lower() in _NO_TENANT:
        message = f"'{text.lower()}' is not one tenant."
    else:
        message = f"This is neither a tenant ID, {_LIKE}, nor a domain of a tenant, such as contoso.onmicrosoft.com."
    return PasteFault("tenantId", "azure.tenant_malformed", message, f"Paste Directory (tenant) ID. {_OVERVIEW}")


def client_id_fault(text: str) -> PasteFault | None:
    """Check a client id."""
    if is_uuid(text):
        return None
    message = f"This is not a client ID, {_LIKE}."
    return PasteFault("clientId", "azure.client_id_malformed", message, f"Paste Application (client) ID. {_OVERVIEW}")


def client_secret_fault(secret: Plaintext) -> PasteFault | None:
    """Check a client secret: not empty, not its own id, not a certificate, not longer than any secret."""
    text = secret.reveal()
    if not text.strip():
        return _secret_fault("azure.secret_empty", "The client secret is empty.")
    # With its hyphens: 32 hexadecimal digits may be a secret that somebody chose.
    if "-" in text and is_uuid(pasted.identifier(text)):
        return _secret_fault("azure.secret_id_pasted", "This is the Secret ID of a client secret, not its Value.")
    if "-----BEGIN" in text or (len(text) > LONGEST_SECRET and text.startswith("MII")):
        return _secret_fault("azure.certificate_pasted", "This is a certificate or a key, not a client secret.")
    if len(text) > 100 and text.startswith("eyJ") and text.count(".") == 2:
        return _secret_fault("azure.token_pasted", "This is a token, not a client secret.")
    if _is_json(text):
        message = (
            "This is JSON, as `az` prints it. Only the value of password (or clientSecret) in it is the client secret."
        )
        return _secret_fault("azure.secret_malformed", message)
    if len(text) > LONGEST_SECRET:
        return _secret_fault("azure.secret_too_long", f"A client secret has at most {LONGEST_SECRET} characters.")
    if _MASKED.fullmatch(text):
        return _secret_fault("azure.secret_malformed", "The client secret is masked: these are not its characters.")
    return _odd_inside(text)


def _is_json(text: str) -> bool:
    """Whether it is an object or a list in JSON, be it cut off after some lines."""
    if text[:1] not in {"{", "["}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text.startswith("{") and "\n" in text
    return True


def _odd_inside(text: str) -> PasteFault | None:
    """Old client secrets were chosen by people, who may have put a blank into them; nobody can have typed the rest."""
    unseen = pasted.unseen(text)
    if unseen:
        return _secret_fault("azure.secret_malformed", f"The client secret holds {unseen}, which cannot be seen.")
    if any(letter.isspace() and letter != " " for letter in text):
        return _secret_fault("azure.secret_malformed", "The client secret holds a line break or a tab: it is one line.")
    return None


def key_id_fault(text: str) -> PasteFault | None:
    """Check the key id (Secret ID) of a client secret; empty means: find it."""
    if not text or is_uuid(text):
        return None
    return PasteFault(
        "clientSecretKeyId",
        "azure.key_id_malformed",
        f"This is not a Secret ID, {_LIKE}.",
        "Leave it empty to have it found, or paste Secret ID. Portal: Certificates & secrets > Client secrets.",
    )


def _secret_fault(code: str, message: str) -> PasteFault:
    return PasteFault(
        "clientSecret",
        code,
        message,
        "Paste the Value. It is shown only once, when the secret is made; if it is lost, make a new secret. "
        "Portal: Entra ID > App registrations > the application > Certificates & secrets > Client secrets.",
    )
