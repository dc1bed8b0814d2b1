"""What may be taken over, and which of the application's credentials it is. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from keyturn.connections.domain import (
    Certificate,
    ClientSecret,
    Given,
    Method,
    Rotatable,
    Supplied,
    method_of,
    value_of,
)
from keyturn.errors import Refused
from keyturn.kit.clock import iso
from keyturn.ports.provider import CredentialKind, RemoteCredential
from keyturn.rotations.adoption import choose_key, expired, unconfirmed

_UPLOAD = "Portal: App registrations > the application > Certificates & secrets > Certificates > Upload certificate."


def rotatable(given: Supplied | Given | None, method: Method) -> Rotatable:
    """Return credentials that can be rotated. Raises Refused for those of another method."""
    if isinstance(given, ClientSecret | Certificate):
        return given
    raise Refused(
        f"Automatic credential rotation is available for the methods client-secret and certificate; this connection's is "
        f"'{method}'.",
        code="rotation.method_not_supported",
        fix="Leave automatic rotation off, or make a connection with a client secret or a certificate.",
    )


def kind_of(given: Rotatable) -> str:
    """Return the name of the kind of credential, which is that of the method."""
    return method_of(given).value


def choose(
    kind: CredentialKind,
    listed: Sequence[RemoteCredential],
    given: Rotatable,
    now: datetime,
    key_id: str | None = None,
    *,
    confirmed: bool = False,
) -> RemoteCredential:
    """Return the listed credential that was given. Raises Refused, and lists the candidates, unless it is there and unexpired.

    One of which the list does not tell whether it is the one given is taken by its key id, if that is ``confirmed``.
    """
    if isinstance(given, ClientSecret):
        return choose_key(listed, given.secret, given.key_id or key_id, now, confirmed=confirmed)
    value = value_of(given)
    found = [one for one in listed if kind.fits(one, value)]
    living = next((one for one in found if not expired(one, now)), None)
    if living:
        return living
    candidates = [_shown(one) for one in listed if not expired(one, now)]
    if found:
        raise Refused(
            f"On the application this certificate ({given.signing.thumbprint}) has expired.",
            code="rotation.certificate_expired",
            fix=f"Make a new certificate, upload it and enter it here. {_UPLOAD}",
            details=candidates,
        )
    silent = [one for one in listed if one.hint is None and not expired(one, now)]
    if silent:
        return _silent(silent, given.signing.thumbprint, (key_id or "").lower(), confirmed=confirmed)
    raise Refused(
        f"The application does not list the certificate with the thumbprint {given.signing.thumbprint}.",
        code="rotation.certificate_not_found",
        fix="Upload the certificate to this application; one uploaded a moment ago may need a minute to appear, and one whose "
        f"customKeyIdentifier is not its thumbprint has to be uploaded again. {_UPLOAD}",
        details=candidates,
    )


def _silent(silent: Sequence[RemoteCredential], thumbprint: str, key_id: str, *, confirmed: bool) -> RemoteCredential:
    """Return the certificate that is named among those which are listed without a thumbprint and without themselves."""
    named = next((one for one in silent if one.key_id.lower() == key_id), None)
    if named and confirmed:
        return named
    if named:
        raise unconfirmed(named, silent, "certificate")
    raise Refused(
        f"Entra ID does not show the thumbprint of {len(silent)} of the application's certificates, so the one given "
        f"({thumbprint}) cannot be found by it.",
        code="rotation.certificate_key_id_needed",
        fix="Give the Key ID of the right one (rotation.certificateKeyId), and confirm it. It is in the application's manifest, "
        "under keyCredentials.",
        details=[_shown(one) for one in silent],
    )


def _shown(one: RemoteCredential) -> dict[str, Any]:
    return {
        "keyId": one.key_id,
        "name": one.name,
        "thumbprint": one.hint,
        "startsAt": iso(one.starts_at) if one.starts_at else None,
        "endsAt": iso(one.ends_at) if one.ends_at else None,
    }
