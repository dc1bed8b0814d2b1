"""Part of a list, for callers who ask for it."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from msgspec import Meta

from keyturn.web.schema.wire import ApiModel

Item = TypeVar("Item")

LARGEST_NUMBER = 2**31 - 1
"""What a column of whole numbers holds in PostgreSQL; it refuses to compare one with more."""
Offset = Annotated[int, Meta(ge=0, le=LARGEST_NUMBER)]


class Window(ApiModel):
    """Without ``limit`` all of the list is answered, from ``offset`` on."""

    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    offset: Offset = 0

    def part_of(self, whole: Sequence[Item]) -> Sequence[Item]:
        return whole[self.offset : None if self.limit is None else self.offset + self.limit]
