"""What an emulator needs of the world outside its memory. Without it, it reaches nothing and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Document:
    """What an issuer answered: `failure` says why there is no body, where there is none."""

    body: bytes = b""
    failure: Literal["", "unreachable", "refused"] = ""
    """`unreachable`: no answer within the time; `refused`: another status than 200, a redirect, or too many bytes."""


class Outside(Protocol):
    """Calls of issuers, and the files by which callers of Azure Arc prove that they may read them."""

    def fetch(self, url: str) -> Document:
        """Gets a document within a few seconds. Never raises. Called without the emulator's lock."""
        ...

    def leave_challenge(self, secret: str) -> str:
        """Writes the secret of one challenge to a new file and gives its path. Raises OSError if it cannot."""
        ...
