"""Reading the certificate and the private key that people paste, in whatever form and whichever field.

The key is looked at here and in ``opener``. It is never sent: Entra ID gets a short-lived assertion signed with it.
"""

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.panics import Panicked, contain_panics
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import SigningCertificate
from keyturn.providers.azure import file_words as words
from keyturn.providers.azure.der import MOST_BITS, MOST_ROUNDS, DerKind, TooMuch, Unreadable, algorithm_of
from keyturn.providers.azure.files import Piece
from keyturn.providers.azure.opener import OpenedKeyFile, Unopened
from keyturn.providers.azure.opening import needs_passphrase, open_piece
from keyturn.providers.azure.paste_checks import PasteFault
from keyturn.providers.azure.survey import CERTIFICATE, KEY, Pasted, certificate_fault, key_fault, survey

MIN_KEY_BITS = 2048
_NEW_PAIR = (
    "Make a new pair: `openssl req -x509 -newkey rsa:2048 -sha256 -days 365 -nodes -subj /CN=keyturn "
    "-keyout key.pem -out certificate.pem`, then upload certificate.pem. Portal: Entra ID > App registrations > "
    "the application > Certificates & secrets > Certificates > Upload certificate."
)


class _Unusable(Exception):
    """Carries the fault out of the frames that hold the key."""

    def __init__(self, fault: PasteFault) -> None:
        super().__init__()
        self.fault = fault


@dataclass(frozen=True)
class _Found:
    """What was opened: keys as PKCS#8 in the order to try them, certificates, and what could not be opened."""

    keys: list[bytes] = field(default_factory=list, repr=False)
    certificates: list[x509.Certificate] = field(default_factory=list)
    faults: list[PasteFault] = field(default_factory=list)


def read_certificate(
    certificate: str, private_key: Plaintext, passphrase: Plaintext | None, now: datetime | None
) -> SigningCertificate:
    """Read a certificate (or a chain, in any order) and the private key that belongs to one of its certificates.

    Both may stand in either field: as PEM, as bare base64, as a PFX file; the key encrypted or not. Of several certificates of
    the key the one counts that is valid now and ends last. Raises Refused, naming the field and what to do, for everything
    that could not sign in now; without ``now`` dates are not looked at. Repeatable.
    """
    result = _read(Pasted.of(certificate, private_key), passphrase, now)
    if isinstance(result, SigningCertificate):
        return result
    # Raised here, where no frame below is alive: they hold the key in the clear.
    first = result[0]
    raise Refused(first.message, code=first.code, fix=first.fix, details=[fault.issue() for fault in result])


def _read(pasted: Pasted, passphrase: Plaintext | None, now: datetime | None) -> SigningCertificate | list[PasteFault]:
    faults = survey(pasted)
    if faults:
        return faults
    try:
        parts = _opened(pasted, passphrase)
        pem, leaf = _pair(parts)
        best = _best([certificate for certificate in parts.certificates if _public_der(certificate) == leaf], now)
        if now:
            _check_dates(best, now)
    except _Unusable as unusable:
        return [unusable.fault]
    chain = [
        best,
        *(certificate for certificate in dict.fromkeys(parts.certificates) if _public_der(certificate) != leaf),
    ]
    return SigningCertificate(
        "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in chain),
        Plaintext(pem),
        best.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - the name by which portals show it
        best.not_valid_after_utc,
    )


# --- opening ----------------------------------------------------------------------------------------------------------


def _opened(pasted: Pasted, passphrase: Plaintext | None) -> _Found:
    parts = _Found()
    # A key may be tried only against all certificates, so those inside of PFX files come first.
    for name, piece in sorted(pasted.openable(), key=lambda each: each[1].kind != DerKind.PFX):
        try:
            key_file = _open(name, piece, passphrase)
        except _Unusable as unusable:
            parts.faults.append(unusable.fault)
            continue
        if key_file.key is not None:
            parts.keys.append(key_file.key)
        parts.certificates.extend(_certificate(name, certificate) for certificate in key_file.certificates)
    own = [_certificate(name, piece.data) for name, piece in pasted.each() if piece.is_certificate]
    parts.certificates[:0] = own
    return parts


def _open(name: str, piece: Piece, passphrase: Plaintext | None) -> OpenedKeyFile:
    what = "PFX file" if piece.kind == DerKind.PFX else "private key"
    other = algorithm_of(DerKind(piece.kind), piece.data) if piece.dek is None else None
    if other not in {None, "RSA"}:
        raise _not_rsa(name, str(other))
    has_passphrase = bool(passphrase and len(passphrase))
    if needs_passphrase(piece) and not has_passphrase:
        raise _missing_passphrase(what)
    try:
        key_file = open_piece(piece, passphrase)
    except TooMuch:
        raise _Unusable(
            key_fault(
                name,
                f"The {what} asks for more work than is done for anybody: at most {MOST_BITS} bits and "
                f"{MOST_ROUNDS} rounds are.",
                _NEW_PAIR,
            )
        ) from None
    except (Unreadable, Unopened) as error:
        raise _unopened(name, piece, what, error, given=has_passphrase) from None
    return _checked(name, key_file, what)


def _unopened(name: str, piece: Piece, what: str, error: Exception, *, given: bool) -> _Unusable:
    why = error.why if isinstance(error, Unopened) else "unsupported"
    if why == "passphrase":
        return _wrong_passphrase(what) if given else _missing_passphrase(what)
    if why == "unsupported" and piece.kind == DerKind.PFX:
        return _Unusable(key_fault(name, "The PFX file is protected in a way that is not read here.", words.OLD_PFX))
    if why == "unsupported" and needs_passphrase(piece):
        fix = "Write it anew: `openssl pkey -in key.pem -aes256 -out new.pem`, then paste new.pem."
        return _Unusable(key_fault(name, "The private key is encrypted in a way that is not read here.", fix))
    return _Unusable(
        key_fault(
            name,
            "The private key cannot be read: it has the form of one, but its numbers do not belong together.",
            f"{words.PEM_KEY} {words.CHECK_KEY}",
        )
    )


def _checked(name: str, key_file: OpenedKeyFile, what: str) -> OpenedKeyFile:
    if key_file.other:
        raise _not_rsa(name, key_file.other)
    if key_file.key is None and what == "private key":
        raise _Unusable(key_fault(name, "There is no private key in it.", words.PEM_KEY))
    if key_file.key is not None and key_file.bits < MIN_KEY_BITS:
        message = f"The RSA key has {key_file.bits} bits. At least {MIN_KEY_BITS} are needed."
        raise _Unusable(PasteFault(name, "azure.key_too_short", message, _NEW_PAIR))
    return key_file


def _not_rsa(name: str, what: str) -> _Unusable:
    message = f"The private key is {what}. Entra ID accepts only RSA keys for signing in."
    return _Unusable(PasteFault(name, "azure.key_not_rsa", message, _NEW_PAIR))


def _missing_passphrase(what: str) -> _Unusable:
    message = "The private key is encrypted." if what == "private key" else "The PFX file is protected by a passphrase."
    plain = "paste the key without encryption" if what == "private key" else "convert it without one"
    fix = f"Give its passphrase, which is used once and not stored; or {plain}."
    return _Unusable(PasteFault("passphrase", "azure.passphrase_missing", message, fix))


def _wrong_passphrase(what: str) -> _Unusable:
    check = "openssl pkey -in key.pem -noout" if what == "private key" else "openssl pkcs12 -in file.pfx -noout"
    return _Unusable(
        PasteFault(
            "passphrase",
            "azure.passphrase_wrong",
            f"The passphrase does not open the {what}.",
            f"Check it with `{check}`, and type it again.",
        )
    )


def _certificate(name: str, data: bytes) -> x509.Certificate:
    try:
        with contain_panics():
            certificate = x509.load_der_x509_certificate(data)
            _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except (ValueError, UnsupportedAlgorithm, InternalError, Panicked):
        raise _Unusable(
            certificate_fault(
                name,
                "The certificate cannot be read: it has the form of one, but something in it breaks the rules of X.509.",
                words.CHECK_CERTIFICATE,
            )
        ) from None
    return certificate


# --- which belongs to which -------------------------------------------------------------------------------------------


def _pair(parts: _Found) -> tuple[str, bytes]:
    """Return the first key that a certificate belongs to, as PEM, and its public part."""
    publics = {_public_der(certificate) for certificate in parts.certificates}
    for data in parts.keys:
        # It was checked when it was opened.
        key = load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True)
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if isinstance(key, rsa.RSAPrivateKey) and public in publics:
            return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), public
    if parts.faults:
        raise _Unusable(parts.faults[0])
    if not parts.keys:
        raise _Unusable(key_fault(KEY, "The PFX file holds no private key.", words.PEM_KEY))
    if not parts.certificates:
        raise _Unusable(certificate_fault(CERTIFICATE, "The PFX file holds no certificate.", words.PEM_CERTIFICATE))
    raise _mismatch(len(parts.keys), len(dict.fromkeys(parts.certificates)))


def _mismatch(keys: int, certificates: int) -> _Unusable:
    key = "The private key belongs" if keys == 1 else f"None of the {keys} private keys belongs"
    message = f"{key} to {'none' if keys == 1 else 'any'} of the {certificates} certificates."
    if certificates == 1:
        message = "The private key does not belong to the certificate." if keys == 1 else f"{key} to the certificate."
    return _Unusable(
        PasteFault(
            KEY,
            "azure.key_mismatch",
            message,
            "Paste the two files that were made together. To compare: `openssl x509 -in certificate.pem -noout -pubkey` "
            "and `openssl pkey -in key.pem -pubout` print the same text for a pair.",
        )
    )


def _best(certificates: Sequence[x509.Certificate], now: datetime | None) -> x509.Certificate:
    """Return the certificate that is valid now and ends last. A renewed one has the key of the one before."""

    def rank(certificate: x509.Certificate) -> tuple[bool, datetime]:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return now is None or begins <= now < ends, ends

    return max(certificates, key=rank)


def _public_der(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm, InternalError):
        return None


def _check_dates(leaf: x509.Certificate, now: datetime) -> None:
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if now < begins:
        raise _Unusable(
            PasteFault(
                CERTIFICATE,
                "azure.certificate_not_yet_valid",
                f"The certificate is valid only from {begins:%Y-%m-%d %H:%M} UTC; now it is {now:%Y-%m-%d %H:%M} UTC.",
                "Wait until then, or make a certificate that is valid now. If the time shown is wrong, set this server's clock.",
            )
        )
    if now >= ends:
        message = f"The certificate expired on {ends:%Y-%m-%d %H:%M} UTC."
        raise _Unusable(PasteFault(CERTIFICATE, "azure.certificate_expired", message, _NEW_PAIR))
