"""Trust in types: a value that may be read by people never has the same type as a value that must not be."""

import hmac
from typing import NoReturn

from keyturn.kit.dataclasses import dataclass


class Plaintext:
    """A secret in the clear. It cannot be printed, formatted, pickled, copied, hashed or encoded by accident.

    Only :meth:`reveal` gives the text, so every place that uses a secret can be found by searching for that word.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret itself. Never put the result into a message, a log line or a data class."""
        return self._text

    def hint(self) -> str:
        """Return the first three characters, as Entra shows them beside a secret."""
        return self._text[:3]

    def __len__(self) -> int:
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plaintext):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> NoReturn:
        raise TypeError("a Plaintext has no hash: it would tell equal secrets apart")

    def __repr__(self) -> str:
        return "Plaintext(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Plaintext cannot be pickled or copied")


@dataclass(frozen=True, slots=True)
class SealContext:
    """The table, row and column of a sealed value. It is bound into the ciphertext, so a value moved elsewhere does not open."""

    table: str
    row: str
    column: str
    version: int = 1

    def binding(self) -> bytes:
        """Return the associated data of the ciphertext: unambiguous, since no part may hold the separator."""
        text = f"{self.table}\x1f{self.row}\x1f{self.column}\x1f{self.version}"
        if text.count("\x1f") != 3:
            raise ValueError("a place holds no control characters")
        return text.encode()


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value as columns and workflows hold it: ``k1.<data key id>.<base64url of nonce and ciphertext>``."""

    text: str

    def __repr__(self) -> str:
        return "Sealed(***)"
