"""What secrets of our own look like. Pure: random bytes in, text out.

An access token is ``ktn_``, 52 characters of randomness (256 bits) and 7 of checksum, so that a scanner recognises it
without a false alarm and a mistyped one is refused without a look into the database. Only its SHA-256 is stored: a
guess at 256 random bits gains nothing from a fast hash.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable

from keyturn.kit.secret import Plaintext

PREFIX = "ktn_"
SECRET_PREFIX_LENGTH = 4
_RANDOM_BYTES = 32
_LENGTH = len(PREFIX) + 52 + 7

RandomBytes = Callable[[int], bytes]


def new_token(random: RandomBytes) -> Plaintext:
    """Return a fresh access token."""
    body = PREFIX + _base32(random(_RANDOM_BYTES))
    return Plaintext(body + _checksum(body))


def new_client_secret(random: RandomBytes) -> Plaintext:
    """Return a fresh client secret: 52 random characters. The first four are its public, searchable prefix."""
    return Plaintext(_base32(random(_RANDOM_BYTES)))


def well_formed(token: str) -> bool:
    """Say whether the text can be one of our access tokens."""
    if len(token) != _LENGTH or not token.startswith(PREFIX) or not token.isascii():
        return False
    return token[-7:] == _checksum(token[:-7])


def digest(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(body: str) -> str:
    return _base32(zlib.crc32(body.encode()).to_bytes(4))


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()
