"""Signing with a certificate: the assertions that Entra ID gets in place of the key, which is never sent."""

import base64
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Ids
from keyturn.ports.provider import SigningCertificate

ASSERTION_LIFE = timedelta(minutes=10)
PROOF_AUDIENCE = "00000002-0000-0000-c000-000000000000"


def assertion(
    certificate: SigningCertificate, app_id: str, audience: str, now: datetime, ids: Ids, *, sha1: bool = False
) -> str:
    """Sign a client assertion: PS256 with the SHA-256 thumbprint, or (``sha1``) RS256 with SHA-1, as older services want it.

    It lives for ten minutes. The result lets its holder sign in, so it is as secret as a password for that long.
    """
    chain = x509.load_pem_x509_certificates(certificate.chain.encode())
    header: dict[str, object] = {}
    if sha1:
        header["x5t"] = _b64url(chain[0].fingerprint(hashes.SHA1()))  # noqa: S303 - a name, not a proof
    else:
        header["x5t#S256"] = _b64url(chain[0].fingerprint(hashes.SHA256()))
    header["x5c"] = [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode() for certificate in chain]
    issued_at = int(now.timestamp())
    claims: dict[str, object] = {
        "aud": audience,
        "iss": app_id,
        "sub": app_id,
        "jti": ids.new(),
        "nbf": issued_at,
        "iat": issued_at,
        "exp": issued_at + int(ASSERTION_LIFE.total_seconds()),
    }
    return _sign(header, claims, certificate.private_key, "RS256" if sha1 else "PS256")


def proof_of_possession(certificate: SigningCertificate, object_id: str, now: datetime) -> Plaintext:
    """Sign the proof of possessing a key of the application object, with which Graph lets keys be added and removed.

    It lives for ten minutes, the longest that is allowed, and has no padding, which Graph takes for malformed.
    Source: learn.microsoft.com/graph/application-rollkey-prooftoken.
    """
    leaf = x509.load_pem_x509_certificate(certificate.chain.encode())
    header: dict[str, object] = {"x5t": _b64url(leaf.fingerprint(hashes.SHA1()))}  # noqa: S303 - a name
    issued_at = int(now.timestamp())
    ends = issued_at + int(ASSERTION_LIFE.total_seconds())
    claims: dict[str, object] = {"aud": PROOF_AUDIENCE, "iss": object_id, "nbf": issued_at, "exp": ends}
    return Plaintext(_sign(header, claims, certificate.private_key, "RS256"))


def _sign(
    header: dict[str, object], claims: dict[str, object], private_key: Plaintext, algorithm: Literal["PS256", "RS256"]
) -> str:
    import jwt  # noqa: PLC0415 - a tenth of a second, which only processes that sign in should pay

    # Checked when it was made or read first, and sealed since: checking it each time takes fifty times as long as signing.
    # PyJWT checks what it reads, so it is handed the key, not its text.
    key = load_pem_private_key(private_key.reveal().encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("a stored key is an RSA key")
    return jwt.encode(claims, key, algorithm, header)


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
