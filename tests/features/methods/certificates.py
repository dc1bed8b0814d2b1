"""Certificates and keys of every kind, made on the spot: no key is ever kept in the repository."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from keyturn.kit.secret import Plaintext
from keyturn_simulation.keys import private_lines

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = datetime(2026, 12, 31, 12, tzinfo=UTC)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    key: Key
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.written()

    @property
    def sha1(self) -> str:
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()

    @property
    def bare_key(self) -> str:
        return base64.b64encode(self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()

    @property
    def public_pem(self) -> str:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def key_lines(self) -> list[str]:
        """Pieces of the key that must not show anywhere."""
        return private_lines(Plaintext(self.key_pem))

    def written(self, form: PrivateFormat = PrivateFormat.PKCS8, passphrase: str | None = None) -> str:
        lock: KeySerializationEncryption = NoEncryption()
        if passphrase:
            lock = BestAvailableEncryption(passphrase.encode())
        return self.key.private_bytes(Encoding.PEM, form, lock).decode()


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The key of this number: the same in all tests of one run, since making one takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def pair(key: Key | None = None, *, begins: datetime = BEGINS, ends: datetime = ENDS, name: str = "keyturn") -> Pair:
    key = key or rsa_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    return Pair(key, certificate)


def elliptic() -> Pair:
    return pair(ec.generate_private_key(ec.SECP256R1()))


def edwards() -> Pair:
    return pair(ed25519.Ed25519PrivateKey.generate())


def in_days(days: float, since: datetime) -> datetime:
    return since + timedelta(days=days)
