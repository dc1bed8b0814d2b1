"""A thousand programs wait for one secret, which changes: how many requests a second that makes at worst, and without spreading.

Each is a connection that asks again as soon as it was answered, as ``keyturn agent`` does. Without spreading all are woken at
once, and all of their next requests come at once: that is measured with the same connections, after the change.
"""

import asyncio
import bisect
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from typing import Any

import httpx
import structlog

from benchmarks.measured import Measured
from benchmarks.waiters import LIST, serving, settle

AGENTS = 1_000
WINDOW = 0.5
"""Seconds over which requests are counted."""
SHARE_LIMIT = 1 / 5
PATIENCE_SECONDS = 60


def measure(count: int = AGENTS) -> list[Measured]:
    """Return one line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    ours, theirs = multiprocessing.Pipe()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(folder, count) as scene,
        httpx.Client(base_url=f"http://127.0.0.1:{scene.port}", timeout=60) as client,
    ):
        admin = {"authorization": f"Bearer {scene.admin}"}
        place = {**scene.query, "secretValue": "first"}
        client.post(f"{LIST}/DB_PASSWORD", json=place, headers=admin).raise_for_status()
        tag = client.get(LIST, params=scene.query, headers={"authorization": f"Bearer {scene.tokens[0]}"}).headers[
            "etag"
        ]
        arguments = (theirs, scene.port, scene.project_id, scene.tokens, tag, count)
        crowd = multiprocessing.get_context("spawn").Process(target=_crowd, args=arguments)
        crowd.start()
        try:
            ours.recv()
            settle(scene.pid)
            client.patch(
                f"{LIST}/DB_PASSWORD", json={**place, "secretValue": "second"}, headers=admin
            ).raise_for_status()
            spread, at_once = ours.recv()
        finally:
            crowd.terminate()
            crowd.join()
    most, unspread = _peak(spread), _peak(at_once)
    line = (
        f"herd of {count} agents, one change: {most:.0f} requests/s at worst over {WINDOW} s, {most / unspread:.2f} of the"
        f" {unspread:.0f} of a herd that is woken at once (limit {SHARE_LIMIT:g}); {len(spread)} asked again"
    )
    return [Measured(line, most <= unspread * SHARE_LIMIT and len(spread) == count)]


def _peak(moments: list[float]) -> float:
    """Return the most requests a second within any window."""
    ordered = sorted(moments)
    return max(bisect.bisect_left(ordered, at + WINDOW) - number for number, at in enumerate(ordered)) / WINDOW


class _Agent(asyncio.Protocol):
    """One agent: it waits for a change, notes when it asks again, and then waits for the next one."""

    def __init__(self, port: int, request: bytes, asked_again: Any) -> None:
        self._port = port
        self.request = request
        self._asked_again = asked_again
        self.transport: Any = None
        self._woken = False

    async def ask(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.request)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._woken:  # so many new connections of one address look like an attack, and some of them are ended
            asyncio.get_running_loop().call_later(1.0, lambda: asyncio.ensure_future(self.ask()))

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 200") and not self._woken:
            self._woken = True
            head = data.partition(b"\r\n\r\n")[0].lower()
            tag = head.partition(b"etag: ")[2].partition(b"\r\n")[0]
            old = self.request.partition(b"if-none-match: ")[2].partition(b"\r\n")[0]
            self.transport.write(self.request.replace(old, tag))
            self._asked_again(time.monotonic())
        elif data.startswith(b"HTTP/1.1 503"):
            asyncio.get_running_loop().call_later(1.0, self.transport.write, self.request)


def _crowd(pipe: Connection, port: int, project_id: str, tokens: list[str], tag: str, count: int) -> None:
    asyncio.run(_play(pipe, port, project_id, tokens, tag, count))


async def _play(pipe: Connection, port: int, project_id: str, tokens: list[str], tag: str, count: int) -> None:
    spread: list[float] = []
    head = f"GET {LIST}?projectId={project_id}&environment=dev&wait=60 HTTP/1.1\r\nhost: localhost\r\nif-none-match: {tag}\r\n"

    def request(number: int) -> bytes:
        who = f"authorization: Bearer {tokens[number % len(tokens)]}\r\nx-keyturn-instance: pod-{number}\r\n\r\n"
        return (head + who).encode()

    agents = [_Agent(port, request(number), spread.append) for number in range(count)]
    for number, agent in enumerate(agents):
        await agent.ask()
        if number % 10 == 0:
            await asyncio.sleep(0.02)
    await asyncio.sleep(3)
    pipe.send("all wait")
    until = time.monotonic() + PATIENCE_SECONDS
    while len(spread) < count and time.monotonic() < until:
        await asyncio.sleep(0.1)
    at_once = []
    for agent in agents:
        agent.transport.write(agent.request.replace(b"&wait=60", b""))
        at_once.append(time.monotonic())
    pipe.send((spread, at_once))
