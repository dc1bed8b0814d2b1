"""Time and identifiers. Tests hand in stateful fakes."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""


class Ids(Protocol):
    def new(self) -> str:
        """Return a fresh UUID."""

    def nonce(self) -> str:
        """Return 10 random characters of ``a-z2-7``."""

    def secret(self) -> str:
        """Return 43 characters of ``A-Za-z0-9_-`` that hold 256 random bits: nobody guesses it."""

    def jitter(self) -> float:
        """Return a number from 0 up to 1."""
