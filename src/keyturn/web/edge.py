"""What endpoints are served with: who is who, and in which threads the work is done."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from datetime import timedelta
from functools import partial
from typing import Protocol, TypeVar

from keyturn.errors import Unavailable
from keyturn.kit import bulkhead
from keyturn.kit.dataclasses import dataclass
from keyturn.web.auth import Authenticate, ByCookie
from keyturn.web.html.site import Site
from keyturn.web.messages import Request, Response
from keyturn.web.origin import OriginRules

_Result = TypeVar("_Result")

THREADS = 32
PROBE_THREADS = 2
AT_ONCE = 512
AT_WORK = 8
"""Of those who are woken together: they use what others leave of the processor."""
_PLACE_LOOK = 0.05
_TOGETHER = 0.01
"""Seconds in which several announcements are one."""

Explain = Callable[[Exception], Unavailable | None]
"""Says what stops this server for the moment, where the exception is such a cause."""


def nothing_known(_error: Exception) -> Unavailable | None:
    """Explain nothing: every exception that is not the product's own is unexpected."""
    return None


class Endpoint(Protocol):
    """What answers one method of one path."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str:
        """With parameters as ``web.table`` reads them."""
        ...

    @property
    def is_page(self) -> bool:
        """Whether people see what it answers, so that its errors are pages, too."""
        ...

    @property
    def has_body(self) -> bool:
        """Whether it reads the request's body."""
        ...

    async def serve(self, edge: "Edge", request: Request) -> Response: ...


@dataclass
class Edge:
    """What serving a request needs. The threads are made when the first request comes."""

    authenticate: Authenticate
    site: Site | None = None
    by_cookie: ByCookie | None = None
    rules: OriginRules | None = None
    explain: Explain = nothing_known
    threads: int = THREADS
    at_once: int = AT_ONCE
    """Requests that have a thread or wait for one; who comes then is asked to come again."""
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    """Lets so many seconds pass, between two looks at what is waited for."""
    _inside: int = field(default=0, repr=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, repr=False)
    _looking: set[asyncio.Future[None]] = field(default_factory=set, repr=False)
    _announced: bool = field(default=False, repr=False)
    _few: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_WORK), repr=False)
    _pool: ThreadPoolExecutor | None = field(default=None, repr=False)
    _probes: ThreadPoolExecutor | None = field(default=None, repr=False)

    @property
    def inside(self) -> int:
        """Requests that have a thread or wait for one."""
        return self._inside

    def page_site(self) -> Site:
        """Return what pages need. Raises RuntimeError when the application was built without."""
        if self.site is None:
            raise RuntimeError("an application with pages is built with a site")
        return self.site

    async def in_thread(self, serve: Callable[[], _Result]) -> _Result:
        """Serve in a worker thread. A caller who hangs up does not stop a handler half way. Raises Unavailable."""
        if self._inside >= self.at_once:
            raise Unavailable(
                f"This server works on {self._inside} requests and takes no more for the moment.",
                code="server.busy",
                retry_after=timedelta(seconds=1),
                fix="Try again in a moment.",
            )
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="web")
        work = self._pool.submit(contextvars.copy_context().run, _in_compartments, serve)
        self._inside += 1
        loop = asyncio.get_running_loop()
        # Counted until the work ends, not until the caller is gone.
        work.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(self._left))
        return await asyncio.wrap_future(work)

    async def before_next_look(self, seconds: float) -> bool:
        """Let so many seconds pass, or less when something was announced; say whether they passed."""
        self._loop = asyncio.get_running_loop()
        announced = self._loop.create_future()
        pausing = asyncio.ensure_future(self.pause(seconds))
        self._looking.add(announced)
        try:
            await asyncio.wait({announced, pausing}, return_when=asyncio.FIRST_COMPLETED)
            return pausing.done()
        finally:
            self._looking.discard(announced)
            pausing.cancel()

    def announce(self) -> None:
        """Say that what somebody waits for may be there. From any thread; returns at once."""
        if self._looking and not self._announced and self._loop is not None and not self._loop.is_closed():
            self._announced = True
            self._loop.call_soon_threadsafe(self._loop.call_later, _TOGETHER, self._tell)

    def _tell(self) -> None:
        self._announced = False
        for announced in self._looking:
            if not announced.done():
                announced.set_result(None)

    async def in_thread_of_few(self, serve: Callable[[], _Result]) -> _Result:
        """Serve in a worker thread, a few at a time: for those who wait and are woken together, however many they are."""
        async with self._few:
            while self._inside >= self.at_once:
                await self.pause(_PLACE_LOOK)
            return await self.in_thread(serve)

    async def in_probe_thread(self, serve: Callable[[], _Result]) -> _Result:
        """Serve in one of the threads that nothing else uses, so that load is not taken for illness."""
        if self._probes is None:
            self._probes = ThreadPoolExecutor(PROBE_THREADS, thread_name_prefix="probe")
        work = partial(contextvars.copy_context().run, serve)
        return await asyncio.get_running_loop().run_in_executor(self._probes, work)

    def _left(self) -> None:
        self._inside -= 1

    def close(self) -> None:
        """Let the threads go. Safe to repeat; a later request starts new ones.

        The server calls it when all requests are done, or when it has given up waiting for them: so it does not wait.
        """
        pools = (self._pool, self._probes)
        self._pool = self._probes = None
        for pool in pools:
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)


def _in_compartments(serve: Callable[[], _Result]) -> _Result:
    with bulkhead.request():
        return serve()
