"""What becomes of an event on its way to a log: decided by its own random id, so that it costs no other randomness."""

from __future__ import annotations

from dataclasses import dataclass

from entra_emulator.faults.faults import Range


@dataclass(frozen=True, slots=True)
class Chances:
    """Three numbers from 0 to 1, always the same for one id."""

    first: float
    second: float
    third: float


def chances(guid: str) -> Chances:
    """The numbers in a random GUID (version 4), without the six bits in it that are not random."""
    number = int(guid.replace("-", ""), 16)
    mask = 0xFFFF_FFFF
    return Chances((number >> 96) / mask, (number & mask) / mask, ((number >> 32) & 0xFFFF) / 0xFFFF)


def within(bounds: Range, chance: float) -> float:
    """The value at that place of the range."""
    low, high = bounds
    return low + (high - low) * chance
