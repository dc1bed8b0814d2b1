"""The fields that the methods have in common: which application of which tenant signs in."""

from collections.abc import Callable

from keyturn.kit import pasted
from keyturn.ports.fields import AskedWhere, Field
from keyturn.providers.azure import paste_checks
from keyturn.providers.azure.manifest import LONGEST_PEM

_UUID_SHAPE: dict[str, object] = {"format": "uuid"}


def says(check: Callable[[str], paste_checks.PasteFault | None]) -> Callable[[str], str | None]:
    """Return the check of a field as the sentence that it says."""

    def sentence(text: str) -> str | None:
        fault = check(text)
        return f"{fault.message} {fault.fix}" if fault else None

    return sentence


TENANT = Field(
    "tenantId",
    "Tenant ID",
    "Directory (tenant) ID. Portal: Entra ID > App registrations > the application > Overview.",
    plain=pasted.identifier,
    fault=says(paste_checks.tenant_fault),
    validation="uuid",
    description="Directory (tenant) ID, or one of the tenant's domains, which is then looked up.",
    examples=("contoso.onmicrosoft.com",),
)
CLIENT = Field(
    "clientId",
    "Client ID",
    "Application (client) ID, on the same page. Not the Object ID, and not the Secret ID.",
    longest=50,
    plain=pasted.identifier,
    fault=says(paste_checks.client_id_fault),
    validation="uuid",
    shape=_UUID_SHAPE,
)


def key_id(name: str, label: str = "", help: str = "") -> Field:  # noqa: A002 - what a field calls it
    """Return the field for what Entra ID calls a credential: needed where the credential itself does not tell."""
    return Field(
        name,
        label,
        help,
        required=False,
        longest=36,
        asked=AskedWhere.ROTATION,
        plain=pasted.identifier,
        fault=says(paste_checks.key_id_fault),
        description="Secret ID of the client secret; needed when several begin alike.",
    )


def pem(name: str, label: str, help: str, *, secret: bool) -> Field:  # noqa: A002
    """Return the field for a certificate or its key: either may hold both."""
    return Field(
        name,
        label,
        help,
        secret=secret,
        guarded=True,
        longest=LONGEST_PEM,
        multiline=True,
        plain=pasted.block,
        max_length=LONGEST_PEM,
        description="PEM, bare base64, or the base64 of a PEM or PFX file; either field may hold both.",
        sentence="must have 1 to 65536 characters",
        empty_if_absent=True,
    )
