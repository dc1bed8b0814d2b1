"""Just enough of DER to tell what a file is, and how much work it asks for, before any of it is done.

A key file says itself how often its passphrase is to be hashed, and how large its numbers are. Without limits one small file
could occupy a server for hours. Nothing here calls itself, and each byte is looked at a few times at most.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from keyturn.kit.dataclasses import dataclass

_INTEGER, _BITS, _OCTETS, _OID, _SEQUENCE, _SET = 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
_TIMES = {0x17, 0x18}
_CONTEXT_0 = 0xA0
_MOST_ITEMS = 4096
_LONGEST_LENGTH = 4

MOST_ROUNDS = 1_000_000
"""Of hashing a passphrase by PBKDF2."""
MOST_SCRYPT = 2**20
"""Of scrypt's N r p, each of which takes about as long as a round; and of all rounds of a file together."""
MOST_MEMORY = 64 * 2**20
MOST_BITS = 8192
_LONGEST_DERIVED = 64


class DerKind(StrEnum):
    """What a structure is, by its form."""

    CERTIFICATE = "certificate"
    KEY = "private key (PKCS #8)"
    RSA_KEY = "RSA private key (PKCS #1)"
    EC_KEY = "EC private key"
    DSA_KEY = "DSA private key"
    ENCRYPTED_KEY = "encrypted private key"
    PFX = "PFX file (PKCS #12)"
    PKCS7 = "PKCS #7 file"
    REQUEST = "request for a certificate"
    PUBLIC_KEY = "public key"
    REVOCATIONS = "list of revoked certificates"
    UNKNOWN = "unknown"


class Short(ValueError):
    """The structure says that it is longer than what is there."""

    def __init__(self, there: int, needed: int) -> None:
        super().__init__(f"{there} of {needed} bytes")
        self.there = there
        self.needed = needed


class TooMuch(ValueError):
    """The file asks for more work than is done for anybody."""


class Unreadable(ValueError):
    """How much work the file asks for cannot be told, so it is not begun."""


@dataclass(frozen=True)
class DerItem:
    """One value. ``body`` excludes tag and length."""

    tag: int
    body: bytes

    @property
    def number(self) -> int:
        return int.from_bytes(self.body, "big")


def first(data: bytes, at: int = 0) -> tuple[DerItem, int]:
    """Return the value that begins there, and where it ends. Raises Short when it is cut off, ValueError when it is none."""
    body = at + 2
    if body > len(data):
        raise Short(len(data) - at, 2)
    length = data[at + 1]
    if length == 0x80:
        raise ValueError("no length is given")
    if length & 0x80:
        size = length & 0x7F
        if size > _LONGEST_LENGTH:
            raise ValueError("longer than anything")
        length, body = int.from_bytes(data[body : body + size], "big"), body + size
    if body + length > len(data):
        raise Short(len(data) - at, body + length - at)
    return DerItem(data[at], data[body : body + length]), body + length


def items(data: bytes) -> list[DerItem]:
    """Return all values that stand beside each other. Raises ValueError for anything else."""
    values: list[DerItem] = []
    at = 0
    while at < len(data):
        if len(values) >= _MOST_ITEMS:
            raise ValueError("too many values")
        item, at = first(data, at)
        values.append(item)
    return values


# --- what it is -------------------------------------------------------------------------------------------------------


def kind_of(data: bytes) -> DerKind:
    """Tell what a DER structure is by its form alone; nothing of it is believed. Raises Short when it is cut off."""
    if data[:5] == b"\x30\x80\x02\x01\x03":
        return DerKind.PFX  # without lengths, as some programs write it
    if data[:3] == b"\x30\x80\x06":
        return DerKind.PKCS7
    outer, _ = first(data)
    if outer.tag != _SEQUENCE:
        return DerKind.UNKNOWN
    try:
        return _kind(items(outer.body))
    except (ValueError, IndexError):
        return DerKind.UNKNOWN


def _kind(parts: Sequence[DerItem]) -> DerKind:
    tags = [part.tag for part in parts]
    if set(tags) == {_INTEGER}:
        return {2: DerKind.PUBLIC_KEY, 6: DerKind.DSA_KEY}.get(
            len(tags), DerKind.RSA_KEY if len(tags) >= 9 else DerKind.UNKNOWN
        )
    if tags[:2] == [_INTEGER, _SEQUENCE]:
        return DerKind.PFX if parts[0].number == 3 else DerKind.KEY if _OCTETS in tags[2:3] else DerKind.UNKNOWN
    if tags[:2] == [_INTEGER, _OCTETS]:
        return DerKind.EC_KEY
    if tags == [_SEQUENCE, _OCTETS]:
        return DerKind.ENCRYPTED_KEY
    if tags == [_SEQUENCE, _BITS]:
        return DerKind.PUBLIC_KEY
    if tags[:1] == [_OID]:
        return DerKind.PKCS7
    return _kind_of_signed(items(parts[0].body)) if tags == [_SEQUENCE, _SEQUENCE, _BITS] else DerKind.UNKNOWN


def _kind_of_signed(inner: Sequence[DerItem]) -> DerKind:
    """Tell certificates, requests and lists of revoked certificates apart: all three are something with a signature."""
    tags = [item.tag for item in inner]
    if tags[0] == _CONTEXT_0:
        return DerKind.CERTIFICATE
    if any(tag in _TIMES for tag in tags[:5]):
        return DerKind.REVOCATIONS
    if tags[:3] == [_INTEGER, _SEQUENCE, _SEQUENCE] and tags[3:4] != [_SEQUENCE]:
        return DerKind.REQUEST
    return DerKind.CERTIFICATE if len(tags) >= 6 else DerKind.UNKNOWN


_ALGORITHMS = {
    bytes.fromhex("2a864886f70d010101"): "RSA",
    bytes.fromhex("2a864886f70d01010a"): "RSA",
    bytes.fromhex("2a8648ce3d0201"): "an elliptic curve (EC) key",
    bytes.fromhex("2b6570"): "an Ed25519 key",
    bytes.fromhex("2b6571"): "an Ed448 key",
    bytes.fromhex("2b656e"): "an X25519 key",
    bytes.fromhex("2a8648ce380401"): "a DSA key",
}


def algorithm_of(kind: DerKind, data: bytes) -> str | None:
    """Say what kind of key it is: ``RSA``, or another in words; None when that is not to be seen from outside."""
    if kind in {DerKind.RSA_KEY, DerKind.EC_KEY, DerKind.DSA_KEY}:
        return {DerKind.EC_KEY: "an elliptic curve (EC) key", DerKind.DSA_KEY: "a DSA key"}.get(kind, "RSA")
    if kind is not DerKind.KEY:
        return None
    try:
        return _ALGORITHMS.get(items(_inside(data)[1].body)[0].body, "of a kind that this server does not know")
    except (ValueError, IndexError):
        return "of a kind that this server does not know"


def modulus_bits(kind: DerKind, data: bytes) -> int:
    """Return how long the modulus of an RSA key in the clear is, before its numbers are looked at. Raises Unreadable."""
    try:
        if kind is DerKind.KEY:
            data = _inside(data)[2].body
        modulus = _inside(data)[1]
    except (ValueError, IndexError):
        raise Unreadable from None
    if modulus.tag != _INTEGER:
        raise Unreadable
    return len(modulus.body.lstrip(b"\x00")) * 8


def _inside(data: bytes) -> list[DerItem]:
    return items(first(data)[0].body)


# --- how much work it is ----------------------------------------------------------------------------------------------

_PBKDF2 = bytes.fromhex("2a864886f70d01050c")
_PBES2 = bytes.fromhex("2a864886f70d01050d")
_PBMAC1 = bytes.fromhex("2a864886f70d01050e")
_SCRYPT = bytes.fromhex("2b06010401da47040b")
_PBES1 = (bytes.fromhex("2a864886f70d0105"), bytes.fromhex("2a864886f70d010c01"))
_DATA = bytes.fromhex("2a864886f70d010701")
_ENCRYPTED_DATA = bytes.fromhex("2a864886f70d010706")
_BAG = bytes.fromhex("2a864886f70d010c0a01")
_KEY_BAG, _SHROUDED, _NESTED = _BAG + b"\x01", _BAG + b"\x02", _BAG + b"\x06"


def work_of(kind: DerKind, data: bytes) -> int:
    """Return how many rounds of hashing opening an encrypted key or a PFX file takes.

    Raises TooMuch beyond the limits, and Unreadable for whatever cannot be told: that is never taken for no work at all.
    """
    try:
        if kind is DerKind.PFX:
            rounds = sum(_pfx(_inside(data)))
        elif kind is DerKind.ENCRYPTED_KEY:
            rounds = _rounds(items(_inside(data)[0].body))
        else:
            raise Unreadable
    except (IndexError, Short):
        raise Unreadable from None
    except ValueError as error:
        if isinstance(error, TooMuch | Unreadable):
            raise
        raise Unreadable from None
    if rounds > MOST_SCRYPT:
        raise TooMuch
    return rounds


def _require_few(rounds: int) -> int:
    if rounds > MOST_ROUNDS:
        raise TooMuch
    return rounds


def _rounds(algorithm: Sequence[DerItem]) -> int:
    """Return the rounds of an AlgorithmIdentifier that derives a key from a passphrase."""
    name, parameters = algorithm[0].body, items(algorithm[1].body)
    if name in {_PBES2, _PBMAC1}:
        return _rounds(items(parameters[0].body))
    if name == _PBKDF2:
        if [item.tag for item in parameters[:2]] != [_OCTETS, _INTEGER]:
            raise Unreadable
        if parameters[2:] and parameters[2].tag == _INTEGER and parameters[2].number > _LONGEST_DERIVED:
            raise TooMuch
        return _require_few(parameters[1].number)
    if name == _SCRYPT:
        return _scrypt(parameters)
    if name.startswith(_PBES1) and [item.tag for item in parameters] == [_OCTETS, _INTEGER]:
        return _require_few(parameters[1].number)
    raise Unreadable


def _scrypt(parameters: Sequence[DerItem]) -> int:
    if [item.tag for item in parameters[:4]] != [_OCTETS, _INTEGER, _INTEGER, _INTEGER]:
        raise Unreadable
    if parameters[4:] and parameters[4].number > _LONGEST_DERIVED:
        raise TooMuch
    n, r, p = (item.number for item in parameters[1:4])
    if n * r * p > MOST_SCRYPT or 128 * n * r > MOST_MEMORY:
        raise TooMuch
    return n * r * p


def _pfx(parts: Sequence[DerItem]) -> Iterator[int]:
    yield 0
    if len(parts) > 2:
        yield _mac(items(parts[2].body))
    for safe in items(first(_content(items(parts[1].body)))[0].body):
        info = items(safe.body)
        if info[0].body == _ENCRYPTED_DATA:
            yield _rounds(items(items(_inside(info[1].body)[1].body)[1].body))
        else:
            yield from _bags(items(first(_content(info))[0].body))


def _content(info: Sequence[DerItem]) -> bytes:
    if info[0].body != _DATA or info[1].tag != _CONTEXT_0:
        raise Unreadable
    inner, _ = first(info[1].body)
    if inner.tag != _OCTETS:
        raise Unreadable
    return inner.body


def _mac(parts: Sequence[DerItem]) -> int:
    algorithm = items(items(parts[0].body)[0].body)
    if algorithm[0].body == _PBMAC1:
        return _rounds(algorithm)
    return _require_few(parts[2].number) if len(parts) > 2 else 1


def _bags(bags: Sequence[DerItem]) -> Iterator[int]:
    for bag in bags:
        parts = items(bag.body)
        if parts[0].body == _SHROUDED:
            yield _rounds(items(_inside(parts[1].body)[0].body))
        elif parts[0].body == _KEY_BAG:
            # EC keys and others are refused later, once their kind is known.
            if (
                algorithm_of(DerKind.KEY, parts[1].body) == "RSA"
                and modulus_bits(DerKind.KEY, parts[1].body) > MOST_BITS
            ):
                raise TooMuch
        elif parts[0].body == _NESTED:
            raise Unreadable
