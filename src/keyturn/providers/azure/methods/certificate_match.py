"""Taking over a certificate that a user supplied: which of the application's certificates is it? Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from keyturn.errors import Refused
from keyturn.kit.clock import iso
from keyturn.ports.provider import RemoteCredential, SigningCertificate
from keyturn.providers.azure.key_pairs import thumbprints
from keyturn.providers.azure.methods.secret_match import confirmation_needed, has_expired
from keyturn.providers.azure.survey import CERTIFICATE

_UPLOAD = "Portal: App registrations > the application > Certificates & secrets > Certificates > Upload certificate."


def match_certificate(
    listed: Sequence[RemoteCredential],
    signing: SigningCertificate,
    now: datetime,
    key_id: str | None = None,
    *,
    confirmed: bool = False,
) -> RemoteCredential:
    """Return the listed certificate that was given. Raises Refused, and lists the candidates, unless it is there and unexpired.

    One of which the list does not tell whether it is the one given is taken by its key id, if that is ``confirmed``.
    """
    names = thumbprints(signing)
    credentials = [credential for credential in listed if credential.hint in names]
    living = next((credential for credential in credentials if not has_expired(credential, now)), None)
    if living:
        return living
    candidates = [_candidate(credential) for credential in listed if not has_expired(credential, now)]
    if credentials:
        raise Refused(
            f"On the application this certificate ({signing.thumbprint}) has expired.",
            code="rotation.certificate_expired",
            fix=f"Make a new certificate, upload it and enter it here. {_UPLOAD}",
            details=candidates,
            field=CERTIFICATE,
        )
    silent = [credential for credential in listed if credential.hint is None and not has_expired(credential, now)]
    if silent:
        return _silent(silent, signing.thumbprint, (key_id or "").lower(), confirmed=confirmed)
    raise Refused(
        f"The application does not list the certificate with the thumbprint {signing.thumbprint}.",
        code="rotation.certificate_not_found",
        fix="Upload the certificate to this application; one uploaded a moment ago may need a minute to appear, and one whose "
        f"customKeyIdentifier is not its thumbprint has to be uploaded again. {_UPLOAD}",
        details=candidates,
        field=CERTIFICATE,
    )


def _silent(silent: Sequence[RemoteCredential], thumbprint: str, key_id: str, *, confirmed: bool) -> RemoteCredential:
    """Return the certificate that is named among those which are listed without a thumbprint and without themselves."""
    match = next((credential for credential in silent if credential.key_id.lower() == key_id), None)
    if match and confirmed:
        return match
    if match:
        raise confirmation_needed(match, silent, "certificate")
    raise Refused(
        f"Entra ID does not show the thumbprint of {len(silent)} of the application's certificates, so the one given "
        f"({thumbprint}) cannot be found by it.",
        code="rotation.certificate_key_id_needed",
        fix="Give the Key ID of the right one (rotation.certificateKeyId), and confirm it. It is in the application's manifest, "
        "under keyCredentials.",
        details=[_candidate(credential) for credential in silent],
        field=CERTIFICATE,
    )


def _candidate(credential: RemoteCredential) -> dict[str, Any]:
    return {
        "keyId": credential.key_id,
        "name": credential.name,
        "thumbprint": credential.hint,
        "startsAt": iso(credential.starts_at) if credential.starts_at else None,
        "endsAt": iso(credential.ends_at) if credential.ends_at else None,
    }
