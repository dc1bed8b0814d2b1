"""Rows by their keys, which remember where a change is to be looked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar, overload

T = TypeVar("T")
V = TypeVar("V")
_MOST = 10_000


class Table(dict[str, V]):
    """A dictionary that notes which rows were handed out by key, put or removed: those may be other than before.

    Rows that are only walked over are not noted, so what is found by a walk is fetched by its key before it is changed.
    """

    __slots__ = ("touched",)

    def __init__(self, rows: Mapping[str, V] | Iterable[tuple[str, V]] = ()) -> None:
        super().__init__(rows)
        self.touched: dict[str, None] = {}
        """The keys, in the order in which they were first noted; no more than are worth to be looked at one by one."""
        for key in self:
            self._note(key)

    @property
    def everything(self) -> bool:
        """Whether too many rows were noted to tell which."""
        return len(self.touched) >= _MOST

    def _note(self, key: str) -> None:
        if len(self.touched) < _MOST:
            self.touched[key] = None

    def __getitem__(self, key: str) -> V:
        self._note(key)
        return super().__getitem__(key)

    @overload
    def get(self, key: str, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: str, default: V, /) -> V: ...
    @overload
    def get(self, key: str, default: T, /) -> V | T: ...
    def get(self, key: str, default: object = None, /) -> object:
        """The row of that key."""
        if key in self:
            self._note(key)
        return super().get(key, default)

    def seen(self, key: str) -> V | None:
        """The row of that key, for those who only read it."""
        return super().get(key)

    def __setitem__(self, key: str, row: V) -> None:
        self._note(key)
        super().__setitem__(key, row)

    def __delitem__(self, key: str) -> None:
        self._note(key)
        super().__delitem__(key)

    @overload
    def pop(self, key: str, /) -> V: ...
    @overload
    def pop(self, key: str, default: V, /) -> V: ...
    @overload
    def pop(self, key: str, default: T, /) -> V | T: ...
    def pop(self, key: str, /, *default: object) -> object:
        """Removes the row of that key and gives it."""
        self._note(key)
        return super().pop(key, *default)

    def setdefault(self, key: str, default: V, /) -> V:
        """The row of that key, put there where it is missing."""
        self._note(key)
        return super().setdefault(key, default)

    def clear(self) -> None:
        """Removes all rows."""
        for key in self:
            self._note(key)
        super().clear()
