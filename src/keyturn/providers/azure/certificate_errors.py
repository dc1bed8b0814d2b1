"""Refusals of certificates at the sign-in of an application: the part of the table about these.

Sources: https://learn.microsoft.com/entra/identity-platform/reference-error-codes, and what Microsoft's own library renews a
certificate for (AzureAD/microsoft-identity-web issue 2834 and its constants).
"""

from collections.abc import Iterable

from keyturn.errors import RefusalReason
from keyturn.providers.azure.error_row import ErrorKind, ErrorRow, ErrorSource

_SPREADING = "A certificate uploaded in the last minutes may still be spreading. Otherwise "
_UPLOAD = "Command: `az ad app credential reset --id {app_id} --append --cert @certificate.pem`."


def _rows(
    numbers: Iterable[int], kind: ErrorKind, code: str, cause: str, fix: str, reason: RefusalReason
) -> list[ErrorRow]:
    source, field = ErrorSource.SIGN_IN, "certificateBody"
    return [ErrorRow(source, str(number), None, kind, code, cause, fix, ("",), reason, field) for number in numbers]


CERTIFICATE_TABLE: tuple[ErrorRow, ...] = (
    *_rows(
        (700027,),
        ErrorKind.NOT_YET,
        "azure.certificate_refused",
        "Entra ID does not accept the certificate of application {app_id}.",
        f"{_SPREADING}upload the certificate that belongs to the private key: {{portal}}, Certificates. {_UPLOAD}",
        RefusalReason.CREDENTIAL_UNKNOWN,
    ),
    *_rows(
        (1000502, 7000274),
        ErrorKind.NOT_YET,
        "azure.certificate_expired",
        "Entra ID says that the certificate of application {app_id} is not valid at this time.",
        f"{_SPREADING}make a new one, upload it and enter it in the connection's credentials; or, if its time has not come yet, "
        f"compare this server's clock. Portal: {{portal}}, Certificates. {_UPLOAD}",
        RefusalReason.CREDENTIAL_EXPIRED,
    ),
    *_rows(
        (7000214, 7000277),
        ErrorKind.ACTION,
        "azure.certificate_revoked",
        "Entra ID says that the certificate of application {app_id} was revoked by who issued it.",
        "Make a new certificate, upload it and enter it in the connection's credentials. "
        f"Portal: {{portal}}, Certificates. {_UPLOAD}",
        RefusalReason.CREDENTIAL_UNKNOWN,
    ),
)
