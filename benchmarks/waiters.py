"""Thousands of programs that wait for a new secret, at one server process: what each costs, and when they have it.

The server is a process of its own with an embedded database; the programs are sockets of another process, each with an instance
name, and tokens of two hundred machine identities. Memory is what the server holds more than before, for each of them, its web
server's part and the connection's included. The share of the processor is that of the server while all wait and nothing happens.
"""

import asyncio
import multiprocessing
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import structlog

from benchmarks.measured import Measured
from keyturn.accounts.service import Access
from keyturn.app.core import Core, open_core
from keyturn.app.web import open_access
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.settings.reader import read_settings
from keyturn.tokens.domain import TokenRules
from tests.features.accounts.people import join, machine

COUNT = 10_000
IDENTITIES = 200
KILOBYTES_LIMIT, SHARE_LIMIT = 40.0, 5.0
"""Of the kilobytes 13 are the web server's own, for any request that is under way: see ADR 24."""
IDLE_SECONDS = 10.0
LONGEST_SPREAD = 5.0
LIST = "/api/v4/secrets"
_PASSWORD = Plaintext("vellum-orbit-pickle-97")


@dataclass(frozen=True)
class Scene:
    port: int
    pid: int
    project_id: str
    admin: str
    tokens: list[str]

    @property
    def query(self) -> dict[str, str]:
        return {"projectId": self.project_id, "environment": "dev"}


def measure(count: int = COUNT) -> list[Measured]:
    """Return a line about cost, and one about how long a change takes to reach all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(folder, count) as scene,
        httpx.Client(base_url=f"http://127.0.0.1:{scene.port}", timeout=60) as client,
    ):
        return _measure(client, scene, count)


def _measure(client: httpx.Client, scene: Scene, count: int) -> list[Measured]:
    admin = {"authorization": f"Bearer {scene.admin}"}
    reader = {"authorization": f"Bearer {scene.tokens[0]}"}
    place = {**scene.query, "secretValue": "first"}
    client.post(f"{LIST}/DB_PASSWORD", json=place, headers=admin).raise_for_status()
    tag = client.get(LIST, params=scene.query, headers=reader).headers["etag"]
    for _ in range(200):  # so that memory that any server comes to need is there
        client.get(LIST, params=scene.query, headers={**reader, "if-none-match": tag})
    before = _memory(scene.pid)
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    crowd = context.Process(target=_crowd, args=(theirs, scene.port, scene.project_id, scene.tokens, tag, count))
    crowd.start()
    try:
        ours.recv()
        settle(scene.pid)
        used, began = _processor(scene.pid), time.monotonic()
        time.sleep(IDLE_SECONDS)
        share = 100 * (_processor(scene.pid) - used) / (time.monotonic() - began)
        kilobytes = (_memory(scene.pid) - before) / count
        published = time.monotonic()
        client.patch(f"{LIST}/DB_PASSWORD", json={**place, "secretValue": "second"}, headers=admin).raise_for_status()
        ours.send("count")
        answers, early = ours.recv()
    finally:
        crowd.terminate()
        crowd.join()
    took = sorted(at - published for at in answers)
    cost = (
        f"{count} waiting reads on sqlite: {kilobytes:.1f} KB each (limit {KILOBYTES_LIMIT:.0f}), "
        f"{share:.1f} % of a core while nothing happens (limit {SHARE_LIMIT:.0f})"
    )
    reach = (
        f"a change reaches {len(took)} of {count}: the first after {took[0] * 1000:.0f} ms, half after "
        f"{statistics.median(took):.1f} s, all after {took[-1]:.1f} s, of which {LONGEST_SPREAD:.0f} s are the spread; "
        f"{early} had been answered before"
    )
    return [
        Measured(cost, kilobytes <= KILOBYTES_LIMIT and share <= SHARE_LIMIT),
        Measured(reach, len(took) + early >= count),
    ]


# --- the server -------------------------------------------------------------------------------------------------------


@contextmanager
def serving(folder: str, count: int) -> Iterator[Scene]:
    variables = {
        "KEYTURN_DATA_DIR": folder,
        "ENCRYPTION_KEY": secrets.token_hex(32),
        "KEYTURN_MAX_WAITERS": str(count),
        "KEYTURN_LOG_LEVEL": "WARNING",
    }
    core = open_core(read_settings(variables), lambda _: None)
    try:
        access = open_access(core)
        made = access.bootstrap("ada@example.com", _PASSWORD, "Example")
        admin = made.token.reveal()
        project_id, tokens = _people(core, access, made.organization.id, admin)
    finally:
        core.close()
    child = subprocess.Popen(
        [sys.executable, "-m", "keyturn", "serve", "--port", "0"],
        env={"HOME": folder, "PATH": os.environ["PATH"], **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert child.stdout is not None
        line = ""
        while not line.startswith("Keyturn is ready"):
            line = child.stdout.readline()
        port = int(line.partition("http://")[2].partition(" ")[0].rpartition(":")[2])
        yield Scene(port, child.pid, project_id, admin, tokens)
    finally:
        child.terminate()
        child.wait()


def _people(core: Core, access: Access, org_id: str, admin: str) -> tuple[str, list[str]]:
    from keyturn.projects.domain import NewProject  # noqa: PLC0415 - beside its only use
    from keyturn.projects.service import Projects  # noqa: PLC0415

    actor = access.authenticate(admin, "127.0.0.1")
    project = Projects(core.database, core.clock, core.ids).create(actor, NewProject(name="Payments", slug="payments"))
    tokens = []
    for number in range(IDENTITIES):
        robot = machine(core.database, org_id, Role.NO_ACCESS, f"robot-{number}")
        join(core.database, robot, project.id, Role.VIEWER)
        with core.database.write() as tx:
            issued = access.tokens.issue(tx, robot, TokenRules(ttl=3600, max_ttl=0), core.clock.now())
        tokens.append(issued.token.reveal())
    return project.id, tokens


def _memory(pid: int) -> float:
    """Return the kilobytes that the process holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def _processor(pid: int) -> float:
    """Return the seconds of processor time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settle(pid: int) -> None:
    """Wait until the server has nothing to do with those who came last."""
    for _ in range(60):
        used = _processor(pid)
        time.sleep(1)
        if _processor(pid) - used < 0.15:
            return


# --- the crowd --------------------------------------------------------------------------------------------------------


class _Waiter(asyncio.Protocol):
    """One program: it asks, comes again when it is told to, and notes when it has the new list."""

    def __init__(self, port: int, request: bytes, answered: Any) -> None:
        self._port = port
        self._request = request
        self._answered = answered
        self._transport: asyncio.Transport | None = None
        self._done = False

    async def ask(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)

    def connection_lost(self, error: Exception | None) -> None:
        # So many new connections of one address at a time look like an attack, and some of them are ended.
        if not self._done:
            asyncio.get_running_loop().call_later(1.0, lambda: asyncio.ensure_future(self.ask()))

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        status = data[9:12] if data.startswith(b"HTTP/1.1 ") else b""
        if status == b"503" and self._transport is not None:
            asyncio.get_running_loop().call_later(1.0, self._transport.write, self._request)
        elif status:
            self._done = True
            self._answered(status, time.monotonic())


def _crowd(pipe: Connection, port: int, project_id: str, tokens: list[str], tag: str, count: int) -> None:
    asyncio.run(_wait(pipe, port, project_id, tokens, tag, count))


async def _wait(pipe: Connection, port: int, project_id: str, tokens: list[str], tag: str, count: int) -> None:
    answers: list[float] = []
    early = 0

    def answered(status: bytes, at: float) -> None:
        nonlocal early
        if status == b"200":
            answers.append(at)
        else:
            early += 1

    def request(number: int) -> bytes:
        return (
            f"GET {LIST}?projectId={project_id}&environment=dev&wait=60 HTTP/1.1\r\nhost: localhost\r\n"
            f"authorization: Bearer {tokens[number % len(tokens)]}\r\nif-none-match: {tag}\r\n"
            f"x-keyturn-instance: pod-{number}\r\n\r\n"
        ).encode()

    for number in range(count):
        await _Waiter(port, request(number), answered).ask()
        if number % 10 == 0:
            await asyncio.sleep(0.02)
    pipe.send("all have asked")
    while not pipe.poll():
        await asyncio.sleep(0.2)
    for _ in range(600):
        if len(answers) + early >= count:
            break
        await asyncio.sleep(0.1)
    pipe.send((answers, early))
