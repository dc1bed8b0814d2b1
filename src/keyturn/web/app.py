"""The web application: routers from the features, and around them what holds for every request."""

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.plugins import PluginProtocol

from keyturn.config import Settings
from keyturn.errors import Unavailable
from keyturn.kit import bulkhead
from keyturn.ports import Clock, Ids
from keyturn.web import assets, health, reference, unbuilt
from keyturn.web.admission import BodyReads
from keyturn.web.auth import Authenticate, Network
from keyturn.web.browser import cookie_credentials
from keyturn.web.connections import Traffic
from keyturn.web.origin import Rules
from keyturn.web.outgoing import Gate
from keyturn.web.pages import Site
from keyturn.web.problems import Explain, nothing_known, respond
from keyturn.web.routes import Arrival, ByCookie, Operation, perform
from keyturn.web.subpath import SubPath

_Answer = TypeVar("_Answer")

LARGEST_BODY = 1024 * 1024
THREADS = 32
PROBE_THREADS = 2
AT_ONCE = 512


@dataclass
class Edge:
    """What serving a request needs. The threads are made when the first request comes."""

    authenticate: Authenticate
    bodies: BodyReads
    site: Site | None = None
    by_cookie: ByCookie | None = None
    rules: Rules | None = None
    explain: Explain = nothing_known
    threads: int = THREADS
    traffic: Traffic = field(default_factory=Traffic)
    at_once: int = AT_ONCE
    """Requests that have a thread or wait for one; who comes then is asked to come again."""
    _inside: int = field(default=0, repr=False)
    _pool: ThreadPoolExecutor | None = field(default=None, repr=False)
    _probes: ThreadPoolExecutor | None = field(default=None, repr=False)

    async def run(self, operation: Operation, arrival: Arrival) -> Response[Any]:
        """Serve a request of the API. Raises Unavailable when too many are being served."""
        if operation.immediate:
            return perform(operation, arrival, self.authenticate)
        if operation.probe:
            return await self._probed(partial(perform, operation, arrival, self.authenticate))
        return await self.in_thread(partial(perform, operation, arrival, self.authenticate, self.by_cookie, self.rules))

    async def in_thread(self, serve: Callable[[], _Answer]) -> _Answer:
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

    async def _probed(self, serve: Callable[[], _Answer]) -> _Answer:
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


def _in_compartments(serve: Callable[[], _Answer]) -> _Answer:
    with bulkhead.request():
        return serve()


class _App(Litestar):
    """Litestar with our gate around everything, unknown routes included."""

    gate: Gate

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.gate.pass_through(super().__call__, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        """Take none: this application reads and writes with its own mechanism, and the defaults import Pydantic."""
        return plugins


def build(
    routers: Sequence[Router],
    *,
    authenticate: Authenticate,
    settings: Settings,
    clock: Clock,
    ids: Ids,
    status: Callable[[], health.Status] = health.fine,
    explain: Explain = nothing_known,
    cors_origins: Sequence[str] = (),
    trusted_proxies: Sequence[Network] = (),
    body_timeout: timedelta = timedelta(seconds=10),
    site: Site | None = None,
) -> Litestar:
    """Return the ASGI application.

    ``site`` is what pages need; without it there is the API alone. ``status`` is asked by the health routes, in a worker
    thread. ``explain`` knows what else stops this server for the moment, e.g. trouble with the database. Browsers of other
    origins are served only for ``cors_origins``. ``X-Forwarded-For`` is believed only from ``trusted_proxies``. A body must
    arrive in ``body_timeout``.
    """

    def describe() -> Mapping[str, Any]:
        from keyturn.web import openapi  # noqa: PLC0415 - a start does not need it

        shown = [each for each in openapi.operations_of(app) if each.tag not in {reference.TAG, unbuilt.TAG}]
        return openapi.document(shown, settings.site_url)

    below = SubPath.of(settings.site_url)
    by_cookie = cookie_credentials(site.recall, site.session_cookie, site.site_url) if site else None
    rules = Rules(site.site_url if site else settings.site_url, frozenset(cors_origins))
    edge = Edge(authenticate, BodyReads(body_timeout.total_seconds()), site, by_cookie, rules, explain)
    files = [assets.router()] if site else []
    app = _App(
        [*routers, *files, health.router(status, clock), reference.router(describe, below)],
        exception_handlers={Exception: respond},
        openapi_config=None,
        logging_config=None,
        debug=False,
        request_max_body_size=LARGEST_BODY,
        state=State({"edge": edge}),
        on_shutdown=[edge.close],
    )
    below.refuse_ambiguous(route.path for route in app.routes)
    secure = (settings.site_url or "").startswith("https://")
    app.gate = Gate(
        ids, tuple(trusted_proxies), frozenset(cors_origins), secure=secure, traffic=edge.traffic, below=below
    )
    return app
