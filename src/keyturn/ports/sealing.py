"""Encryption and keyed digests, as those see them who store values."""

from collections.abc import Callable
from typing import Protocol

from keyturn.kit.secret import Plaintext, SealContext, Sealed


class Sealer(Protocol):
    """Encrypts values for one place each (envelope encryption)."""

    def seal(self, value: Plaintext, place: SealContext) -> Sealed:
        """Encrypt for this place under the newest data key."""

    def open(self, sealed: Sealed, place: SealContext) -> Plaintext:
        """Decrypt. Raises Misconfigured when the value was made elsewhere, was changed, or its key is missing."""

    def opener(self, sealed: Sealed, place: SealContext) -> Callable[[], Plaintext]:
        """Return what decrypts it, however often: taken apart once, it stays sealed. Both raise as :meth:`open` does."""


class Digests(Protocol):
    """Keeps random values that nobody can guess: digests for one place each, which name their data key."""

    def digest(self, value: Plaintext, place: SealContext, *, under: str | None = None) -> str:
        """Return what to keep of the value: under the newest data key, or the one that the digest ``under`` names.

        Raises Misconfigured when that key is missing.
        """

    def matches(self, digest: str, value: Plaintext, place: SealContext) -> bool:
        """Say whether the digest is of this value at this place. Raises Misconfigured when its key is missing."""

    def aged(self, digest: str) -> bool:
        """Say whether the digest, or hash, was made otherwise than a new one would be."""
