"""Durable work: what is begun is finished, by this process or another."""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol


class Engine(Protocol):
    """Runs ``advance(rotation id)`` durably: at least once, one at a time per partition, also after a crash."""

    def start(self, advance: Callable[[str], None]) -> None:
        """Begin to take work, adopting what a dead process of this installation left."""

    def submit(self, rotation_id: str, partition: str) -> bool:
        """Enqueue; False when work for this rotation is already queued or running. Safe to repeat."""

    def in_flight(self) -> int:
        """Return how many items are queued or running in this process."""

    def stop(self, grace: timedelta) -> None:
        """Stop taking work and wait for the running items, at most the grace period."""
