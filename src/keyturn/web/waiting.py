"""Answers that are waited for: a handler begins something and returns at once, and no thread is held until it is done."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

from keyturn.kit.dataclasses import dataclass

Answer = TypeVar("Answer")

LOOK_EVERY = timedelta(milliseconds=250)
"""What this process itself does is announced: this is for what another one does."""
LONGEST = timedelta(minutes=10)


@dataclass(frozen=True)
class Waiting(Generic[Answer]):
    """An answer that is not there yet.

    ``look`` returns it as soon as it is there, else None, and raises when it is not to be waited for any longer. It is called
    in a worker thread once in ``LOOK_EVERY``, and at once when something is announced; not after ``LONGEST``. A caller who hangs
    up is not waited for any more; what was begun goes on.
    """

    look: Callable[[], Answer | None]


@dataclass(frozen=True)
class UntilNews(Generic[Answer]):
    """An answer that says that nothing is new, to a caller who wants to wait for news so many ``seconds``.

    ``news`` waits without a thread, at most so many seconds, and says whether to look ``again``, which is done in a worker
    thread and raises when the caller may not know any more. When the time is over, ``unchanged`` is the answer. ``begin`` takes
    what a request that waits needs until it is answered, and raises when there is none left; ``end`` gives it back.
    """

    seconds: float
    unchanged: Answer
    news: Callable[[float], Awaitable[bool]]
    again: "Callable[[], Answer | UntilNews[Answer]]"
    begin: Callable[[], None]
    end: Callable[[], None]
