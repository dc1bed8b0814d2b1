"""Compartments: what is slow for one kind of request may hold only so many threads, so it never holds all of them.

A thread takes a place and keeps it until its request ends. When all places are taken a few wait; whoever comes then is
refused at once, before anything was done.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import timedelta

from keyturn.kit.dataclasses import dataclass


@dataclass
class _Held:
    """What one request holds: compartments by identity, and what gives their places back."""

    places: set[int]
    leaving: ExitStack


_request: ContextVar[_Held | None] = ContextVar("_request", default=None)


@contextmanager
def request() -> Iterator[None]:
    """Around one request. At its end all places that it held are given back."""
    with ExitStack() as leaving:
        mark = _request.set(_Held(set(), leaving))
        try:
            yield
        finally:
            _request.reset(mark)


class Bulkhead:
    """``places`` threads at once, ``waiting`` more that wait for ``patience``. For any number of threads."""

    def __init__(
        self,
        refusal: Callable[[], Exception],
        *,
        places: int,
        waiting: int,
        patience: timedelta = timedelta(seconds=5),
    ) -> None:
        """``refusal`` makes the exception for a caller that gets no place."""
        self._refusal = refusal
        self._places = threading.BoundedSemaphore(places)
        self._queue = threading.BoundedSemaphore(places + waiting)
        self._patience = patience

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place. Raises the refusal when too many wait already, or none became free in time."""
        if not self._queue.acquire(blocking=False):
            raise self._refusal()
        try:
            if not self._places.acquire(timeout=self._patience.total_seconds()):
                raise self._refusal()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._queue.release()

    def hold(self) -> None:
        """Hold a place until this thread's request ends; nothing happens outside of requests. Raises the refusal.

        Asked again in the same request it changes nothing: so a request is refused at its first call, or not at all.
        """
        outer = _request.get()
        if outer is None or id(self) in outer.places:
            return
        outer.leaving.enter_context(self.place())
        outer.places.add(id(self))
