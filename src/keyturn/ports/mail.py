"""Telling one person something by e-mail."""

from typing import Protocol


class Mailer(Protocol):
    def __call__(self, receiver: str, subject: str, text: str) -> str:
        """Hand one message to the mail server, and return nothing, or why it was not taken, in words for people.

        Outside transactions. A repeat sends it twice. The text may hold a secret; what is returned never does.
        """
        ...
