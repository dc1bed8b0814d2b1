"""Cutting a sequence into parts."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the items in parts of at most ``size``, in their order."""
    for first in range(0, len(items), size):
        yield items[first : first + size]
