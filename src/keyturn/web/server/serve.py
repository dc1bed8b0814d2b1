"""Runs the web application inside this process, beside the threads of the worker. See docs/adr/0002-granian-in-process.md.

What it protects against by itself: headers without end, bodies over the limit, connections that are idle for too long, and
more of them than it was told to hold. ``connections.py`` adds what depends on whose they are. TLS is the work of a proxy
in front of it.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn

import granian.net
import structlog
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from keyturn.kit.dataclasses import dataclass
from keyturn.web.auth import Network
from keyturn.web.server import connections
from keyturn.web.server.admission import HEADER_BYTES
from keyturn.web.server.listening import listen
from keyturn.web.server.liveness import Liveness

_log = structlog.get_logger("keyturn.web")

_PROBE_PAUSE = 0.01
_FEWEST = 64


@dataclass(frozen=True)
class Limits:
    """How much the server takes before it says no."""

    backlog: int = 1024
    connections: int = 8192
    """At most, as far as the process may have so many files open, besides those that wait for changes. Requests are counted
    where they are served."""
    header_timeout: timedelta = timedelta(seconds=5)
    """For the first request of a connection to arrive."""
    idle_timeout: timedelta = timedelta(seconds=75)
    """Between two requests: longer than the minute for which most proxies keep a connection."""
    quiet_per_network: int = 1024
    """Connections of one address, or one /64, without a request under way."""
    header_bytes: int = HEADER_BYTES
    grace: timedelta = timedelta(seconds=5)
    """For so long running requests may finish after a stop."""


class _Server(Server):
    """Granian's embedded server on a socket that we bound: so port 0 tells its number, and a taken port is an error."""

    def __init__(self, app: Any, listening: socket.socket, limits: Limits, quiet: timedelta) -> None:
        address, port = listening.getsockname()[:2]
        super().__init__(
            app,
            address=address,
            port=port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            websockets=False,
            backlog=limits.backlog,
            backpressure=max(_FEWEST, min(limits.connections, connections.descriptors() - connections.FOR_OTHERS)),
            http1_settings=HTTP1Settings(
                header_read_timeout=round(quiet / timedelta(milliseconds=1)),
                max_buffer_size=limits.header_bytes,
            ),
            log_enabled=True,
            log_level=LogLevels.error,
            log_dictconfig={"handlers": {}, "loggers": {"_granian": {"handlers": [], "propagate": True}}},
            log_access=False,
        )
        self._descriptor = listening.detach()  # from here on Granian owns and closes it
        self._backlog = limits.backlog

    def _init_shared_socket(self) -> None:
        make_holder: Any = granian.net.SocketHolder  # type: ignore[attr-defined]
        self._ssp: Any = None
        self._shd: Any = make_holder(self._descriptor, False, self._backlog)
        self._sfd: Any = self._shd.get_fd()


class WebServer:
    """One HTTP server. ``run`` blocks until ``stop`` or a signal; the object serves once."""

    def __init__(
        self,
        app: Any,
        *,
        host: str,
        port: int,
        limits: Limits | None = None,
        traffic: connections.Traffic | None = None,
        proxies: Sequence[Network] = (),
        health_port: int | None = None,
        health_host: str | None = None,
        probes: Any = None,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        """``traffic`` tells which connections are being served: with it quiet ones are watched, but for those of ``proxies``.

        At ``health_port``, of the same host or another one, ``probes`` is served over a listener of its own: an application
        that knows what they ask, by default the same.
        """
        self._app = app
        self._limits = limits or Limits()
        self._traffic = traffic
        self._proxies = proxies
        self._listening = listen(host, port, self._limits.backlog)
        self._probes = app if probes is None else probes
        self._health = None if health_port is None else listen(health_host or host, health_port, self._limits.backlog)
        self._host, self._port = self._listening.getsockname()[:2]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Any = None
        self._stopping = threading.Event()
        self._on_stop = on_stop

    @property
    def port(self) -> int:
        """The real port, also when 0 was asked for."""
        return int(self._port)

    @property
    def health_port(self) -> int | None:
        """The real port of the listener for probes, if there is one."""
        return None if self._health is None else int(self._health.getsockname()[1])

    @property
    def url(self) -> str:
        """The origin under which this machine reaches the server."""
        host = _reachable(self._host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def run(self, on_ready: Callable[[str], None] = lambda _: None) -> None:
        """Serve until stopped. ``on_ready`` gets the URL when the first request has been answered.

        In the main thread SIGTERM and SIGINT stop it. Running requests finish, for the grace period at most.
        """
        with self._listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve(on_ready))

    def stop(self) -> None:
        """Stop taking requests. Returns at once; from any thread; safe to repeat."""
        self._stopping.set()
        if self._on_stop is not None:
            self._on_stop()
        if self._loop is not None and not self._loop.is_closed():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop_server)

    def _stop_server(self) -> None:
        if self._server is not None:
            self._server.stop()

    async def _serve(self, on_ready: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        limits, watch = self._limits, self._watch()
        quiet = limits.header_timeout if watch is None else limits.idle_timeout
        self._server = _Server(self._app, self._listening, limits, quiet)
        # Granian's own option refuses to be set for the embedded server, which obeys it all the same.
        self._server.workers_kill_timeout = self._limits.grace.total_seconds()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self.stop)
        probed = None if self._health is None else await self._serve_probes(self._health)
        if watch is not None:
            watch.start()
        serving = asyncio.create_task(self._server.serve())
        announcing = asyncio.create_task(self._announce(on_ready))
        if self._stopping.is_set():
            self._server.stop()
        try:
            await serving
        except TimeoutError:
            # This loop ends now. What the abandoned requests would still report to it is noise.
            self._loop.set_exception_handler(lambda _loop, _context: None)
            _log.warning("some requests were cut off", grace_seconds=self._limits.grace.total_seconds())
        finally:
            if watch is not None:
                watch.stop()
            if probed is not None:
                probed.close()
            announcing.cancel()
            with suppress(asyncio.CancelledError):
                await announcing

    def _watch(self) -> connections.ConnectionWatch | None:
        if self._traffic is None or not connections.can_look():
            return None
        first, idle = self._limits.header_timeout.total_seconds(), self._limits.idle_timeout.total_seconds()
        quiet = connections.QuietLimits(first, idle, self._limits.quiet_per_network)
        return connections.ConnectionWatch(self.port, self._traffic, quiet, self._proxies)

    async def _serve_probes(self, listening: socket.socket) -> asyncio.Server:
        return await asyncio.start_server(Liveness(self._probes).serve, sock=listening)

    async def _announce(self, on_ready: Callable[[str], None]) -> None:
        while not await self._answers():
            await asyncio.sleep(_PROBE_PAUSE)
        await asyncio.to_thread(on_ready, self.url)

    async def _answers(self) -> bool:
        reader, writer = await asyncio.open_connection(_reachable(self._host), self._port)
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return b" 200 " in await reader.readline()
        except OSError:
            return False
        finally:
            writer.close()


def _reachable(bound: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)


def end_process(status: int) -> NoReturn:
    """End the process now, with what was logged and printed written out. The last call of a program that has served.

    The ordinary end takes the interpreter apart while threads of the server may still be about to use it, which in rare
    cases aborts a process that did everything right, and waits for every thread that a hanging network call holds.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
