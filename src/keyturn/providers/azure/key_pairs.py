"""Key pairs with their self-signed certificates, made on this server for applications to sign in with; and how they are named."""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from keyturn.kit.panics import Panicked, contain_panics
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import SigningCertificate

KEY_BITS = 2048
BACKDATED = timedelta(minutes=5)
"""The certificate must be valid at once also for a service whose clock is behind this server's."""
LONGEST_LISTED_NAME = 120
LONGEST_NAME = 64
"""Of a common name, by RFC 5280."""
_HEX = re.compile(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}")
_DIGESTS = {20, 32}
"""Lengths of SHA-1 and SHA-256."""


def new_key() -> rsa.RSAPrivateKey:
    """Make an RSA key. Takes a tenth of a second or more."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def new_pair(key: rsa.RSAPrivateKey, name: str, now: datetime, ends_at: datetime) -> SigningCertificate:
    """Make a certificate for the key that it signs itself, valid from a little before now."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:LONGEST_NAME])])
    begins, ends = (moment.astimezone(UTC).replace(microsecond=0) for moment in (now - BACKDATED, ends_at))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    return SigningCertificate(
        certificate.public_bytes(Encoding.PEM).decode(),
        Plaintext(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()),
        _thumbprints(certificate)[0],
        ends,
    )


def dates_of(certificate: SigningCertificate) -> tuple[datetime, datetime, bytes]:
    """Return from when until when the certificate is valid, and its DER."""
    leaf = x509.load_pem_x509_certificate(certificate.chain.encode())
    return leaf.not_valid_before_utc, leaf.not_valid_after_utc, leaf.public_bytes(Encoding.DER)


def thumbprints(certificate: SigningCertificate) -> tuple[str, str]:
    """Return SHA-1 and SHA-256 of the certificate in upper-case hex."""
    return _thumbprints(x509.load_pem_x509_certificate(certificate.chain.encode()))


def leaf_digest(certificate: SigningCertificate) -> str:
    """Return SHA-256 of the certificate itself in hex, which comes first in its chain."""
    return thumbprints(certificate)[1].lower()


def thumbprint_of(identifier: object) -> str | None:
    """Read a ``customKeyIdentifier`` as a thumbprint in upper-case hex: it comes as hex or base64, of SHA-1 or SHA-256.

    None for anything else: whoever uploads a certificate may put there what they like.
    """
    if not isinstance(identifier, str):
        return None
    if _HEX.fullmatch(identifier):
        return identifier.upper()
    try:
        digest = base64.b64decode(identifier, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex().upper() if len(digest) in _DIGESTS else None


def thumbprint_of_bytes(key: object) -> str | None:
    """Return the SHA-1 thumbprint of a certificate in base64, as Graph lists its bytes; None for anything else."""
    if not isinstance(key, str) or not key:
        return None
    try:
        with contain_panics():
            return _thumbprints(x509.load_der_x509_certificate(base64.b64decode(key, validate=True)))[0]
    except (binascii.Error, ValueError, UnsupportedAlgorithm, Panicked):
        return None


def name_of(identifier: object) -> str | None:
    """Read the ``customKeyIdentifier`` of a client secret as its name: secrets from before Microsoft Graph keep it there.

    It comes as base64 of UTF-16 (little-endian) or UTF-8. None for what is no such text.
    """
    try:
        data = base64.b64decode(identifier, validate=True) if isinstance(identifier, str) else b""
    except (binascii.Error, ValueError):
        return None
    for encoding in ("utf-16-le", "utf-8"):
        try:
            text = data.decode(encoding).lstrip("\ufeff")
        except UnicodeDecodeError:
            continue
        if text and text.isprintable() and (encoding == "utf-8" or text.isascii()):
            return text[:LONGEST_LISTED_NAME]
    return None


def _thumbprints(certificate: x509.Certificate) -> tuple[str, str]:
    sha1 = certificate.fingerprint(hashes.SHA1())  # noqa: S303 - the name by which portals show it
    return sha1.hex().upper(), certificate.fingerprint(hashes.SHA256()).hex().upper()
