"""The listener for probes of a process that serves nothing else."""

import asyncio
import socket
import threading
from typing import Any

import uvloop

from keyturn.web.server.liveness import Liveness


class ProbeServer:
    """Serves probes from a thread of its own, until the process ends."""

    def __init__(self, app: Any, listening: socket.socket) -> None:
        self._app = app
        self._listening = listening

    @property
    def port(self) -> int:
        """The real port, also when 0 was asked for."""
        return int(self._listening.getsockname()[1])

    def start(self) -> None:
        threading.Thread(target=self._run, name="probes", daemon=True).start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(Liveness(self._app).serve, sock=self._listening)
        await server.serve_forever()
