"""The listener for probes of a process that serves nothing else."""

import asyncio
import socket
import threading
from typing import Any

import uvloop

from keyturn.web.server.liveness import Liveness


class ProbeServer:
    """Serves probes from a thread of its own, until it is stopped or the process ends."""

    def __init__(self, app: Any, listening: socket.socket, *, all_paths: bool = False) -> None:
        """``all_paths`` asks the application about every path, and not only about those of probes."""
        self._liveness = Liveness(app, all_paths=all_paths)
        self._listening = listening
        self._loop = uvloop.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="probes", daemon=True)

    @property
    def port(self) -> int:
        """The real port, also when 0 was asked for."""
        return int(self._listening.getsockname()[1])

    def start(self) -> None:
        """Serve. Once."""
        self._thread.start()

    def stop(self) -> None:
        """End the listener with its connections. Once, after :meth:`start`."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        with self._listening, asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._liveness.serve, sock=self._listening)
        await self._over.wait()
        server.close()
