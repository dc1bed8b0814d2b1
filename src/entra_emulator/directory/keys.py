"""The key with which the emulator signs its tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID


def b64url(data: bytes) -> str:
    """URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def un_b64(text: str) -> bytes:
    """Reads base64 in either alphabet, with or without padding. Raises ValueError."""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


class SigningKey:
    """An RSA key made at start. Making one costs tens of milliseconds, so many emulators may share one.

    Half of the usual ``bits`` sign a token in a fifth of the time, where nobody checks the signature but the emulator itself.
    """

    def __init__(self, bits: int = 2048, *, pem: bytes | None = None) -> None:
        """With ``pem``, as the method `pem` gave it, the same key again. Raises ValueError for another text."""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=bits) if pem is None else _private(pem)
        certificate = _certificate(self._key) if pem is None else x509.load_pem_x509_certificate(pem)
        self._der = certificate.public_bytes(Encoding.DER)
        self.kid = b64url(hashlib.sha1(self._der, usedforsecurity=False).digest())
        self._headers = {
            version: b64url(json.dumps({"typ": "JWT", "alg": "RS256", **extra, "kid": self.kid}).encode())
            for version, extra in (("1.0", {"x5t": self.kid}), ("2.0", {}))
        }

    def pem(self) -> bytes:
        """The private key and its certificate."""
        key = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + x509.load_der_x509_certificate(self._der).public_bytes(Encoding.PEM)

    def sign(self, claims: dict[str, Any], nonce: str = "") -> str:
        """A signed JWT with these claims; `ver` chooses the header.

        With a `nonce` the header shows it, but the signature covers its digest instead, as in Graph's own tokens: nobody
        but the issuer and Graph can check those (https://learn.microsoft.com/entra/identity-platform/access-tokens).
        """
        payload = b64url(json.dumps(claims, separators=(",", ":")).encode())
        head = self._nonce_header(nonce) if nonce else self._headers[claims["ver"]]
        covered = self._nonce_header(_digest(nonce)) if nonce else head
        signature = self._key.sign(f"{covered}.{payload}".encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
        return f"{head}.{payload}.{b64url(signature)}"

    def read(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that this key signed; None for any other text. Does not look at its times."""
        head, _, rest = token.partition(".")
        payload, _, signature = rest.partition(".")
        covered = head if head in self._headers.values() else self._covered(head)
        if covered is None:
            return None
        try:
            self._key.public_key().verify(
                un_b64(signature), f"{covered}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except (InvalidSignature, ValueError):
            return None
        claims: dict[str, Any] = json.loads(un_b64(payload))
        return claims

    def _nonce_header(self, nonce: str) -> str:
        return b64url(
            json.dumps({"typ": "JWT", "nonce": nonce, "alg": "RS256", "x5t": self.kid, "kid": self.kid}).encode()
        )

    def _covered(self, head: str) -> str | None:
        """What the signature covers in place of a header with a nonce; None for any other header."""
        try:
            header = json.loads(un_b64(head))
            nonce = header["nonce"]
        except (ValueError, RecursionError, TypeError, KeyError):
            return None
        if not isinstance(nonce, str) or head != self._nonce_header(nonce):
            return None
        return self._nonce_header(_digest(nonce))

    def jwk(self, issuer: str) -> dict[str, Any]:
        """The public part, as an entry of the key set."""
        numbers = self._key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": b64url(numbers.n.to_bytes(256, "big")),
            "e": b64url(numbers.e.to_bytes(3, "big")),
            "x5c": [base64.b64encode(self._der).decode("ascii")],
            "issuer": issuer,
        }


def _private(pem: bytes) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA key")  # noqa: TRY004 - bad input, like a text that is no key
    return key


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "entra-emulator signing")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2049, 12, 31, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )


def _digest(nonce: str) -> str:
    return b64url(hashlib.sha256(nonce.encode()).digest())
