"""Certificates that applications sign in with: reading what people paste, and signing assertions.

The private key is used here and nowhere else. It is never sent: Entra ID gets a short-lived assertion signed with it.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext
from keyturn.ports import Ids, SigningCertificate
from keyturn.providers.azure.connect import Fault, certificate_fault, private_key_fault
from keyturn.providers.azure.der import work_of

ASSERTION_LIFE = timedelta(minutes=10)
PROOF_AUDIENCE = "00000002-0000-0000-c000-000000000000"
MIN_KEY_BITS = 2048
MOST_WORK = 10_000_000
MOST_CERTIFICATES = 10
_ARMOUR = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_CURVES: Mapping[type, str] = {
    ec.EllipticCurvePrivateKey: "an elliptic curve (EC) key",
    ed25519.Ed25519PrivateKey: "an Ed25519 key",
    ed448.Ed448PrivateKey: "an Ed448 key",
}
_NEW_PAIR = (
    "Make a new pair: `openssl req -x509 -newkey rsa:2048 -sha256 -days 365 -nodes -subj /CN=keyturn "
    "-keyout key.pem -out certificate.pem`, then upload certificate.pem. Portal: Entra ID > App registrations > "
    "the application > Certificates & secrets > Certificates > Upload certificate."
)
_NOT_A_KEY = (
    "Paste the file of the private key from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----. "
    "From a .pfx file: `openssl pkcs12 -in file.pfx -nocerts -nodes`."
)


class _Unusable(Exception):
    """Carries the fault out of the frames that hold the key."""

    def __init__(self, field: str, code: str, message: str, fix: str) -> None:
        super().__init__()
        self.fault = Fault(field, code, message, fix)


def read_certificate(
    certificate: str, private_key: Plaintext, passphrase: Plaintext | None, now: datetime | None
) -> SigningCertificate:
    """Read a certificate (or a chain, in any order) and the private key that belongs to one of its certificates.

    The key is PEM of PKCS#1 or PKCS#8, encrypted or not, or bare base64 of PKCS#8. Raises Refused, naming the field and what
    to do, for everything that could not sign in now; without ``now`` its dates are not looked at. Pure.
    """
    found = _read(certificate, private_key, passphrase, now)
    if isinstance(found, SigningCertificate):
        return found
    # Raised here, where no frame below is alive: they hold the key in the clear.
    raise Refused(found.message, code=found.code, fix=found.fix, details=[found.issue()])


def _read(
    certificate: str, private_key: Plaintext, passphrase: Plaintext | None, now: datetime | None
) -> SigningCertificate | Fault:
    fault = certificate_fault(certificate) or private_key_fault(private_key)
    if fault:
        return fault
    try:
        chain = _certificates(certificate)
        key = _key(private_key.reveal(), passphrase)
        leaf = _leaf(chain, key)
        if now:
            _check_dates(leaf, now)
    except _Unusable as unusable:
        return unusable.fault
    ordered = [leaf, *(one for one in chain if one != leaf)]
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return SigningCertificate(
        "".join(one.public_bytes(Encoding.PEM).decode() for one in ordered),
        Plaintext(pem),
        leaf.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - the name by which portals show it
        leaf.not_valid_after_utc,
    )


def _certificates(text: str) -> list[x509.Certificate]:
    bodies = [body for label, body in _ARMOUR.findall(text) if label in {"CERTIFICATE", "X509 CERTIFICATE"}]
    bad = partial(_Unusable, "certificateBody", "azure.certificate_malformed")
    if len(bodies) > MOST_CERTIFICATES:
        raise bad(f"{len(bodies)} certificates are pasted.", "Paste the application's own certificate.")
    cut_off = bad(
        "The certificate cannot be read: it is cut off or damaged.",
        "Paste the whole file, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----. "
        "Command to check it: `openssl x509 -in certificate.pem -noout -subject -dates`.",
    )
    if not bodies:
        raise cut_off
    try:
        return [
            x509.load_der_x509_certificate(base64.b64decode("".join(body.split()), validate=True)) for body in bodies
        ]
    except (ValueError, UnsupportedAlgorithm):
        raise cut_off from None


def _key(text: str, passphrase: Plaintext | None) -> rsa.RSAPrivateKey:
    label, data = _key_data(text)
    work = work_of(data or b"")
    encrypted = label == "ENCRYPTED PRIVATE KEY" or data is None or work > 0
    if encrypted and not (passphrase and len(passphrase)):
        raise _Unusable(
            "passphrase",
            "azure.passphrase_missing",
            "The private key is encrypted.",
            "Give its passphrase, which is used once and not stored; or paste the key without encryption.",
        )
    secret = passphrase.reveal().encode() if encrypted and passphrase else None
    if work > MOST_WORK:
        raise _key_fault("The private key's encryption asks for more work than any tool uses.")
    key = _loaded(text, data, secret)
    if not isinstance(key, rsa.RSAPrivateKey):
        kind = next((name for curve, name in _CURVES.items() if isinstance(key, curve)), "not an RSA key")
        raise _Unusable(
            "privateKey",
            "azure.key_not_rsa",
            f"The private key is {kind}. Entra ID accepts only RSA keys for signing in.",
            _NEW_PAIR,
        )
    if key.key_size < MIN_KEY_BITS:
        raise _Unusable(
            "privateKey",
            "azure.key_too_short",
            f"The RSA key has {key.key_size} bits. At least {MIN_KEY_BITS} are needed.",
            _NEW_PAIR,
        )
    return key


def _key_data(text: str) -> tuple[str | None, bytes | None]:
    """Return the label of the armour and the DER inside; no label for bare base64, no DER for the old encryption."""
    armour = next(((label, body) for label, body in _ARMOUR.findall(text) if label.endswith("PRIVATE KEY")), None)
    if armour and "Proc-Type:" in armour[1]:
        return armour[0], None
    label, body = armour or (None, text)
    try:
        return label, base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _key_fault("The private key cannot be read: it is cut off or damaged.") from None


def _loaded(text: str, data: bytes | None, secret: bytes | None) -> object:
    try:
        if data is None:
            return load_pem_private_key("\n".join(text.split("\r\n")).encode(), secret)
        return load_der_private_key(data, secret)
    except UnsupportedAlgorithm:
        raise _key_fault("The private key is of a kind that cannot be used.") from None
    except (ValueError, TypeError):
        pass
    if secret is None:
        raise _key_fault("The private key cannot be read: it is cut off or damaged.")
    raise _Unusable(
        "passphrase",
        "azure.passphrase_wrong",
        "The passphrase does not open the private key.",
        "Check it with `openssl pkey -in key.pem -noout`, and type it again.",
    )


def _key_fault(message: str) -> _Unusable:
    return _Unusable("privateKey", "azure.key_malformed", message, _NOT_A_KEY)


def _leaf(chain: list[x509.Certificate], key: rsa.RSAPrivateKey) -> x509.Certificate:
    """Return the certificate of this key: the first, as files usually have it, or whichever fits."""
    wanted = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for one in chain:
        if _public_der(one) == wanted:
            return one
    more = "The private key does not belong to the certificate."
    if len(chain) > 1:
        more = f"The private key belongs to none of the {len(chain)} certificates."
    raise _Unusable(
        "privateKey",
        "azure.key_mismatch",
        more,
        "Paste the two files that were made together. To compare: `openssl x509 -in certificate.pem -noout -pubkey` and "
        "`openssl pkey -in key.pem -pubout` print the same text for a pair.",
    )


def _public_der(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _check_dates(leaf: x509.Certificate, now: datetime) -> None:
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if now < begins:
        raise _Unusable(
            "certificateBody",
            "azure.certificate_not_yet_valid",
            f"The certificate is valid only from {begins:%Y-%m-%d %H:%M} UTC; now it is {now:%Y-%m-%d %H:%M} UTC.",
            "Wait until then, or make a certificate that is valid now. If the time shown is wrong, set this server's clock.",
        )
    if now >= ends:
        raise _Unusable(
            "certificateBody",
            "azure.certificate_expired",
            f"The certificate expired on {ends:%Y-%m-%d %H:%M} UTC.",
            _NEW_PAIR,
        )


# --- assertions -------------------------------------------------------------------------------------------------------


def assertion(
    certificate: SigningCertificate, app_id: str, audience: str, now: datetime, ids: Ids, *, sha1: bool = False
) -> str:
    """Sign a client assertion: PS256 with the SHA-256 thumbprint, or (``sha1``) RS256 with SHA-1, as older services want it.

    It lives for ten minutes. The result lets its holder sign in, so it is as secret as a password for that long.
    """
    chain = x509.load_pem_x509_certificates(certificate.chain.encode())
    header: dict[str, object] = {"alg": "RS256" if sha1 else "PS256", "typ": "JWT"}
    if sha1:
        header["x5t"] = _b64url(chain[0].fingerprint(hashes.SHA1()))  # noqa: S303 - a name, not a proof
    else:
        header["x5t#S256"] = _b64url(chain[0].fingerprint(hashes.SHA256()))
    header["x5c"] = [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]
    issued = int(now.timestamp())
    claims = {
        "aud": audience,
        "iss": app_id,
        "sub": app_id,
        "jti": ids.new(),
        "nbf": issued,
        "iat": issued,
        "exp": issued + int(ASSERTION_LIFE.total_seconds()),
    }
    return _jwt(header, claims, certificate.private_key, pss=not sha1)


def possession(certificate: SigningCertificate, object_id: str, now: datetime) -> Plaintext:
    """Sign the proof of possessing a key of the application object, with which Graph lets keys be added and removed.

    It lives for ten minutes, the longest that is allowed, and has no padding, which Graph takes for malformed.
    Source: learn.microsoft.com/graph/application-rollkey-prooftoken.
    """
    leaf = x509.load_pem_x509_certificate(certificate.chain.encode())
    header = {"alg": "RS256", "typ": "JWT", "x5t": _b64url(leaf.fingerprint(hashes.SHA1()))}  # noqa: S303 - a name
    issued = int(now.timestamp())
    ends = issued + int(ASSERTION_LIFE.total_seconds())
    claims = {"aud": PROOF_AUDIENCE, "iss": object_id, "nbf": issued, "exp": ends}
    return Plaintext(_jwt(header, claims, certificate.private_key, pss=False))


def _jwt(header: Mapping[str, object], claims: Mapping[str, object], private_key: Plaintext, *, pss: bool) -> str:
    signed = ".".join(_b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{_b64url(_signature(private_key, signed.encode(), use_pss=pss))}"


def _signature(private_key: Plaintext, signed: bytes, *, use_pss: bool) -> bytes:
    # Checked when it was made or read first, and sealed since: checking it each time takes fifty times as long as signing.
    key = load_pem_private_key(private_key.reveal().encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("a stored key is an RSA key")
    if not use_pss:
        return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    return key.sign(signed, pss, hashes.SHA256())


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
