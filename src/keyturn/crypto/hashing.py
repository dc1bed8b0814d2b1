"""Passwords as they are kept: slow hashes with a salt each."""

import threading
import unicodedata
from functools import partial
from typing import TYPE_CHECKING

from keyturn.errors import busy
from keyturn.kit.bulkhead import Bulkhead
from keyturn.kit.secret import Plaintext

if TYPE_CHECKING:
    from argon2 import PasswordHasher


def normal(password: Plaintext) -> str:
    """Return the text in one of its Unicode forms: keyboards disagree about which one they send."""
    return unicodedata.normalize("NFKC", password.reveal())


class Hasher:
    """Argon2id. The defaults are OWASP's: 19 MiB and two passes, about 25 ms on a small server.

    At most ``at_once`` hashes are computed at a time, so that a flood of sign-ins cannot exhaust the memory, and ``waiting``
    threads wait for that, so that it cannot take all of them: whoever comes then gets Unavailable.
    """

    def __init__(self, *, memory_kib: int = 19_456, passes: int = 2, at_once: int = 2, waiting: int = 6) -> None:
        self._memory_kib = memory_kib
        self._passes = passes
        self._compartment = Bulkhead(partial(busy, "checking passwords"), places=at_once, waiting=waiting)
        self._lock = threading.Lock()
        self._made: tuple[PasswordHasher, str] | None = None

    def hash(self, secret: Plaintext) -> str:
        """Return the hash to store, with its own salt."""
        hasher, _ = self._hasher()
        with self._compartment.place():
            return hasher.hash(normal(secret))

    def verify(self, stored: str | None, secret: Plaintext) -> bool:
        """Say whether the secret is the one behind the hash. Without a hash it takes as long, and the answer is no."""
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - not needed to start

        hasher, dummy = self._hasher()
        with self._compartment.place():
            try:
                hasher.verify(stored or dummy, normal(secret))
            except (VerificationError, InvalidHashError):
                return False
        return bool(stored)

    def _hasher(self) -> tuple["PasswordHasher", str]:
        with self._lock:
            if self._made is None:
                from argon2 import PasswordHasher  # noqa: PLC0415 - not needed to start

                hasher = PasswordHasher(time_cost=self._passes, memory_cost=self._memory_kib, parallelism=1)
                self._made = hasher, hasher.hash("nobody has this password")
            return self._made
