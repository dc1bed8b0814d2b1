"""Identifiers. Randomness is injected, so that a simulation replays exactly."""

import base64
import random
import secrets
import uuid

_UUID_LENGTH = 36
_SECRET_BYTES = 32


class SystemIds:
    """Ids from the operating system's random source."""

    def new(self) -> str:
        """Return a fresh UUID, lower case with hyphens."""
        return str(uuid.uuid4())

    def nonce(self) -> str:
        """Return 10 characters of base32 (50 random bits), for markers that people read in the portal."""
        return _base32(secrets.token_bytes(7))

    def secret(self) -> str:
        """Return 43 characters of base64url (256 random bits)."""
        return secrets.token_urlsafe(_SECRET_BYTES)

    def jitter(self) -> float:
        """Return a number from 0 up to 1."""
        return secrets.randbelow(1_000_000) / 1_000_000


class SeededIds:
    """Ids that repeat for the same seed. For simulations only: anyone who knows the seed knows every id."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def new(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def nonce(self) -> str:
        return _base32(self._random.randbytes(7))

    def secret(self) -> str:
        return base64.urlsafe_b64encode(self._random.randbytes(_SECRET_BYTES)).decode().rstrip("=")

    def jitter(self) -> float:
        return self._random.random()


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().lower()[:10]


def is_uuid(text: str) -> bool:
    """Say whether the text is a UUID in the usual 36-character form, in either case."""
    if len(text) != _UUID_LENGTH:
        return False
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
