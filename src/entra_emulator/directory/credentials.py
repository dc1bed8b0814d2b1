"""Adding and removing credentials: the rules of the directory, without any HTTP."""

from __future__ import annotations

import hashlib
import random
import re

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from entra_emulator.core.clock import DAY
from entra_emulator.directory.directory import Holder, KeyCredential, PasswordCredential, new_guid
from entra_emulator.directory.replicas import Presence, credential_presence
from entra_emulator.faults.faults import Settings

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_DURATION = re.compile(
    r"P(?:(\d{1,5})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?"
)


def new_secret(rng: random.Random) -> str:
    """A value of 40 characters in the shape that Entra makes today, which is assumed; none needs URL-encoding or is secret."""
    head = "".join(rng.choices(_LETTERS, k=3))
    return f"{head}8Q~{''.join(rng.choices(_LETTERS + '._~-', k=34))}"


def add_password(
    holder: Holder,
    name: str | None,
    start: float,
    end: float,
    presence: Presence,
    rng: random.Random,
    *,
    value: str | None = None,
) -> PasswordCredential:
    """Puts a new client secret on the object. All limits are the caller's business."""
    item = PasswordCredential(new_guid(rng), name, start, end, value or new_secret(rng), presence)
    holder.passwords.append(item)
    return item


def remove_credential(
    item: PasswordCredential | KeyCredential, now: float, settings: Settings, rng: random.Random
) -> None:
    """Removes a credential; each replica goes on knowing it for a while, where the settings say so."""
    item.presence.remove(now, settings, rng)


def read_certificate(data: bytes) -> tuple[x509.Certificate, RSAPublicKey]:
    """Reads a certificate in DER or PEM with an RSA key. Raises ValueError for anything else."""
    try:
        certificate = (
            x509.load_pem_x509_certificate(data) if data.startswith(b"-----") else x509.load_der_x509_certificate(data)
        )
        public_key = certificate.public_key()
    except Exception as error:  # the parser raises many kinds for bad input
        raise ValueError("not a certificate") from error
    if not isinstance(public_key, RSAPublicKey):
        raise ValueError("not an RSA certificate")  # noqa: TRY004 - bad input, like the case above
    return certificate, public_key


def make_key(
    data: bytes,
    name: str | None,
    start: float | None,
    end: float | None,
    now: float,
    settings: Settings,
    rng: random.Random,
) -> KeyCredential:
    """A certificate credential; its dates default to the certificate's own. Raises ValueError for bad bytes."""
    certificate, public_key = read_certificate(data)
    der = certificate.public_bytes(Encoding.DER)
    return KeyCredential(
        key_id=new_guid(rng),
        display_name=name,
        start=start if start is not None else certificate.not_valid_before_utc.timestamp(),
        end=end if end is not None else certificate.not_valid_after_utc.timestamp(),
        der=der,
        sha1=hashlib.sha1(der, usedforsecurity=False).digest(),
        sha256=hashlib.sha256(der).digest(),
        public_key=public_key,
        presence=credential_presence(now, settings, rng),
    )


def duration(text: object) -> float | None:
    """Seconds of an ISO 8601 duration such as `P30D` (a year is 365 days, a month 30); None if it is not one."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groups()):
        return None
    years, months, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return (years * 365 + months * 30 + days) * DAY + hours * 3600 + minutes * 60 + seconds
