"""Durable work: what is begun is finished, by this process or another."""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """A piece of work that is due: ``kind`` says whose, ``id`` on what.

    No two pieces of one ``partition`` run at once, in whichever process.
    """

    kind: str
    id: str
    partition: str


class Engine(Protocol):
    """Runs work durably: at least once, one at a time per partition, also after a crash."""

    def start(self, do: Callable[[Work], None]) -> None:
        """Begin to take work, adopting what a dead process of this installation left."""

    def submit(self, work: Work) -> bool:
        """Enqueue; False when work of this partition is already queued or running. Safe to repeat."""

    def in_flight(self) -> int:
        """Return how many items are queued or running in this process."""

    def stop(self, grace: timedelta) -> None:
        """Stop taking work and wait for the running items, at most the grace period."""
