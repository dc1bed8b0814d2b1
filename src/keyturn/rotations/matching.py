"""What may be taken over, and which of the application's credentials it is. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from keyturn.connections.domain import (
    Certificate,
    ClientSecret,
    Method,
    ReadCredentials,
    Rotatable,
    SubmittedCredentials,
    method_of,
    value_of,
)
from keyturn.errors import Refused
from keyturn.kit.clock import iso
from keyturn.ports.provider import CredentialKind, RemoteCredential
from keyturn.rotations.adoption import expired, match_secret, unconfirmed

_UPLOAD = "Portal: App registrations > the application > Certificates & secrets > Certificates > Upload certificate."


def rotatable(credentials: SubmittedCredentials | ReadCredentials | None, method: Method) -> Rotatable:
    """Return credentials that can be rotated. Raises Refused for those of another method."""
    if isinstance(credentials, ClientSecret | Certificate):
        return credentials
    raise Refused(
        f"Automatic credential rotation is available for the methods client-secret and certificate; this connection's is "
        f"'{method}'.",
        code="rotation.method_not_supported",
        fix="Leave automatic rotation off, or make a connection with a client secret or a certificate.",
    )


def kind_of(credentials: Rotatable) -> str:
    """Return the name of the kind of credential, which is that of the method."""
    return method_of(credentials).value


def match_credential(
    kind: CredentialKind,
    remotes: Sequence[RemoteCredential],
    wanted_credentials: Rotatable,
    now: datetime,
    key_id: str | None = None,
    *,
    confirmed: bool = False,
) -> RemoteCredential:
    """Return the listed credential that was given. Raises Refused, and lists the candidates, unless it is there and unexpired.

    One of which the list does not tell whether it is the one given is taken by its key id, if that is ``confirmed``.
    """
    if isinstance(wanted_credentials, ClientSecret):
        return match_secret(
            remotes, wanted_credentials.secret, wanted_credentials.key_id or key_id, now, confirmed=confirmed
        )
    value = value_of(wanted_credentials)
    credentials = [credential for credential in remotes if kind.matches(credential, value)]
    living = next((credential for credential in credentials if not expired(credential, now)), None)
    if living:
        return living
    candidates = [_shown(credential) for credential in remotes if not expired(credential, now)]
    if credentials:
        raise Refused(
            f"On the application this certificate ({wanted_credentials.signing.thumbprint}) has expired.",
            code="rotation.certificate_expired",
            fix=f"Make a new certificate, upload it and enter it here. {_UPLOAD}",
            details=candidates,
        )
    silent = [credential for credential in remotes if credential.hint is None and not expired(credential, now)]
    if silent:
        return _silent(silent, wanted_credentials.signing.thumbprint, (key_id or "").lower(), confirmed=confirmed)
    raise Refused(
        f"The application does not list the certificate with the thumbprint {wanted_credentials.signing.thumbprint}.",
        code="rotation.certificate_not_found",
        fix="Upload the certificate to this application; one uploaded a moment ago may need a minute to appear, and one whose "
        f"customKeyIdentifier is not its thumbprint has to be uploaded again. {_UPLOAD}",
        details=candidates,
    )


def _silent(silent: Sequence[RemoteCredential], thumbprint: str, key_id: str, *, confirmed: bool) -> RemoteCredential:
    """Return the certificate that is named among those which are listed without a thumbprint and without themselves."""
    match = next((credential for credential in silent if credential.key_id.lower() == key_id), None)
    if match and confirmed:
        return match
    if match:
        raise unconfirmed(match, silent, "certificate")
    raise Refused(
        f"Entra ID does not show the thumbprint of {len(silent)} of the application's certificates, so the one given "
        f"({thumbprint}) cannot be found by it.",
        code="rotation.certificate_key_id_needed",
        fix="Give the Key ID of the right one (rotation.certificateKeyId), and confirm it. It is in the application's manifest, "
        "under keyCredentials.",
        details=[_shown(credential) for credential in silent],
    )


def _shown(credential: RemoteCredential) -> dict[str, Any]:
    return {
        "keyId": credential.key_id,
        "name": credential.name,
        "thumbprint": credential.hint,
        "startsAt": iso(credential.starts_at) if credential.starts_at else None,
        "endsAt": iso(credential.ends_at) if credential.ends_at else None,
    }
