"""The web application: routes from the features, and around them what holds for every request."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

from keyturn.errors import Unauthenticated
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock, Ids
from keyturn.settings.model import Settings
from keyturn.web.auth import Authenticate, Network, RequestContext, network_of
from keyturn.web.edge import Edge, Endpoint, Explain, nothing_known
from keyturn.web.error_responses import respond
from keyturn.web.html.browser import cookie_credentials
from keyturn.web.html.site import Site
from keyturn.web.messages import Receive, Request, Response, Send
from keyturn.web.origin import OriginRules
from keyturn.web.reference import page
from keyturn.web.server import assets, health
from keyturn.web.server.admission import BodyReads, check_host
from keyturn.web.server.fast import ANSWERED, FastPath, KnownAnswers
from keyturn.web.server.middleware import EdgeMiddleware, Observe, Trace, nobody_observes, nobody_traces
from keyturn.web.subpath import SubPath
from keyturn.web.table import NoRoute, Table, WrongMethod, normal


class Application:
    """The ASGI application. Everything that a route raises is answered in the one shape of errors."""

    def __init__(
        self,
        edge: Edge,
        gate: EdgeMiddleware,
        bodies: BodyReads,
        closers: Sequence[Callable[[], object]] = (),
        fast: FastPath | None = None,
        releases: Sequence[Callable[[], object]] = (),
        later: Callable[[], Sequence[Iterable[Endpoint]]] | None = None,
    ) -> None:
        self.edge = edge
        self._releases = releases
        self._closers = closers
        self._fast = fast
        self.bodies = bodies
        self.traffic = gate.traffic
        self._gate = gate
        self._table: Table[Endpoint] = Table()
        self._endpoints: list[Endpoint] = []
        self._later = later
        self._loading = threading.Lock()

    @property
    def reads(self) -> Mapping[str, int]:
        """How reads that may be known were answered, see :class:`FastPath`."""
        return {} if self._fast is None else self._fast.reads

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """All of them, with those that are loaded later."""
        self.complete()
        return tuple(self._endpoints)

    def complete(self) -> None:
        """Add the routes that are loaded later. Safe to repeat, from any thread."""
        with self._loading:
            if self._later is not None:
                for group in [tuple(each) for each in self._later()]:
                    self.add(group)
                self._later = None

    def release(self) -> None:
        """Let go the requests that wait for something: the server stops. From any thread."""
        for release in self._releases:
            release()

    def add(self, endpoints: Iterable[Endpoint]) -> None:
        """Add routes. Raises ValueError for one whose place is taken."""
        for endpoint in endpoints:
            self._table.add(endpoint.method, endpoint.path, endpoint)
            self._endpoints.append(endpoint)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            way = None if self._fast is None else await self._fast.serve(scope, send)
            if way is None:
                await self._gate.pass_through(self._serve, scope, receive, send)
            elif way is not ANSWERED:
                try:
                    await self._gate.pass_through(self._serve, scope, receive, send, way.ticket, way.waited)
                finally:
                    way.over()
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.edge.close()
        if self._fast is not None:
            self._fast.write_log()
        for close in self._closers:
            await asyncio.to_thread(close)
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Any, visit: RequestContext, receive: Receive, send: Send) -> None:
        request, endpoint = Request.of(scope, visit), None
        try:
            check_host(request.headers)
            path = normal(request.path)
            endpoint, path_params = await self._found(request.method, path)
            visit.route = endpoint.path
            request = replace(request, path=path, path_params=path_params)
            if endpoint.has_body:
                body = await self.bodies.read(receive, request.headers, network_of(visit.ip), of_page=endpoint.is_page)
                request = replace(request, body=body)
            response = await endpoint.serve(self.edge, request)
            head = response.head()
        except Exception as error:  # noqa: BLE001 - whatever it is becomes an answer
            response = _failed(self.edge, request, endpoint, error)
            head = response.head()
        await send({"type": "http.response.start", "status": response.status, "headers": head})
        await response.send_body(receive, send)

    async def _found(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """Return what answers. Raises NoRoute, WrongMethod. For what is not known the routes that come later are loaded."""
        if self._later is not None:
            with suppress(NoRoute, WrongMethod):
                return self._table.find(method, path)
            await asyncio.to_thread(self.complete)
        return self._table.find(method, path)


def _failed(edge: Edge, request: Request, endpoint: Endpoint | None, error: Exception) -> Response:
    if isinstance(error, WrongMethod) and request.method == "OPTIONS":
        return Response(status=204, headers={"allow": ", ".join(sorted({*error.methods, "OPTIONS"}))})
    return respond(edge, request, endpoint, error)


def build(
    routes: Sequence[Iterable[Endpoint]],
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
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    closers: Sequence[Callable[[], object]] = (),
    releases: Sequence[Callable[[], object]] = (),
    known_answers: KnownAnswers | None = None,
    announcements: Callable[[Callable[[], None]], None] | None = None,
    observe: Observe = nobody_observes,
    trace: Trace = nobody_traces,
    later: Callable[[], Sequence[Iterable[Endpoint]]] | None = None,
) -> Application:
    """Return the ASGI application.

    ``site`` is what pages need; without it there is the API alone. ``status`` is asked by the health routes, in a worker
    thread. ``explain`` knows what else stops this server for the moment, e.g. trouble with the database. Browsers of other
    origins are served only for ``cors_origins``. ``X-Forwarded-For`` is believed only from ``trusted_proxies``. A body must
    arrive in ``body_timeout``. ``pause`` lets so many seconds pass, between two looks at what a request waits for.
    ``closers`` are called when all requests are done, ``releases`` when no more are taken: they let go those that wait.
    ``known_answers`` are given without a thread. ``announcements`` is given what is to be called when something happened that a
    request may wait for. ``observe`` is told of each answer that was not known, ``trace`` follows each.
    ``later`` makes routes that are loaded when something is asked for that the others do not answer.
    """
    below = SubPath.of(settings.site_url)
    by_cookie = cookie_credentials(site.recall, site.session_cookie, site.site_url) if site else None
    rules = OriginRules(site.site_url if site else settings.site_url, frozenset(cors_origins))
    edge = Edge(authenticate, site, by_cookie, rules, explain, pause=pause)
    secure = (settings.site_url or "").startswith("https://")
    if announcements is not None:
        announcements(edge.announce)
    gate = EdgeMiddleware(
        ids, tuple(trusted_proxies), frozenset(cors_origins), secure=secure, below=below, observe=observe, trace=trace
    )
    fast = FastPath(gate, known_answers) if known_answers else None
    app = Application(edge, gate, BodyReads(body_timeout.total_seconds()), closers, fast, releases, later)

    reference = cache(lambda: page.Reference(openapi_document(app, settings)))
    for group in (*routes, health.router(status, clock), page.routes(reference)):
        app.add(group)
    if site:
        app.add(assets.router())
        app.add(page.page_routes(reference))
    if below.base:
        below.refuse_ambiguous(endpoint.path for endpoint in app.endpoints)
    return app


def build_probes(routes: Sequence[Iterable[Endpoint]], *, ids: Ids, explain: Explain = nothing_known) -> Application:
    """Return the application of a listener for probes: it shares no thread and no limit with the one that serves everybody."""
    app = Application(Edge(_nobody, explain=explain), EdgeMiddleware(ids), BodyReads(seconds=1.0))
    for group in routes:
        app.add(group)
    return app


def _nobody(_token: str, _ip: str) -> Actor:
    raise Unauthenticated("Nobody signs in here.", code="token.unknown")


def openapi_document(app: Application, settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI document of the application's routes, as plain data."""
    from keyturn.web import unbuilt  # noqa: PLC0415 - a start does not need it
    from keyturn.web.reference import openapi  # noqa: PLC0415

    operations = openapi.operations_of(app.endpoints)
    documented_operations = [each for each in operations if each.tag not in {page.TAG, unbuilt.TAG}]
    return openapi.document(documented_operations, settings.site_url)
