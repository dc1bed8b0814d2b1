"""What was needed last, as much of it as a number of bytes holds."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")


class BytesCache(Generic[Key, Kept]):
    """Keeps values by key, and forgets those that were asked for longest ago. For any number of threads."""

    def __init__(self, most: int) -> None:
        """``most`` is in bytes, as those who put values in count them."""
        self._most = most
        self._size = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[Kept, int]] = OrderedDict()

    def get(self, key: Key) -> Kept | None:
        try:  # without the lock: each of the two is one step, and what is dropped between them is as one that was not there
            pair = self._kept[key]
            self._kept.move_to_end(key)
        except KeyError:
            return None
        return pair[0]

    def put(self, key: Key, value: Kept, size: int) -> None:
        """Keep the value in the place of another with the key. One that is larger than a quarter of all is not kept."""
        with self._lock:
            self._drop(key)
            if size > self._most // 4:
                return
            self._kept[key] = (value, size)
            self._size += size
            while self._size > self._most:
                self._drop(next(iter(self._kept)))

    @property
    def size(self) -> int:
        return self._size

    def _drop(self, key: Key) -> None:
        pair = self._kept.pop(key, None)
        if pair is not None:
            self._size -= pair[1]
