"""Thousands of programs that wait for a new secret, at one server process: what each costs, and when they have it.

The server is a process of its own with an embedded database; the programs are sockets of some other processes, each with an
instance name, and tokens of two hundred machine identities. A process has an address of its own in 127.0.0.0/8. Memory is what
the server holds more than before, for each of them, its web server's part and the connection's included; beside it stands what
the web server alone holds for as many, around an application that only waits. The share of the processor is that of the server
while all wait and nothing happens. While they wait, and while they are woken, somebody asks whether the server is ready, and
reads a secret.
"""

import asyncio
import multiprocessing
import os
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import structlog

from benchmarks import bare
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
OF_ONE_PROCESS = 2_500
IDENTITIES = 200
RATIO_LIMIT, SHARE_LIMIT = 2.0, 5.0
"""Of the memory of one who waits to that of the web server alone; per cent of a core."""
SLOWEST_PROBE = 2.0
"""Seconds for an answer to whoever asks whether the server is ready: orchestrators wait for so long."""
IDLE_SECONDS = 10.0
PER_SECOND = 500
"""Who begin to wait, of all processes together."""
LONGEST_SPREAD = 5.0
FOR_OTHERS = 512
"""File descriptors of the server beside those of who waits."""
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
    """Return a line about cost, one about how long a change takes to reach all, and one about others meanwhile."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    _permit(count)
    alone = _alone(count)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(folder, count) as scene,
        httpx.Client(base_url=f"http://127.0.0.1:{scene.port}", timeout=60) as client,
    ):
        return _measure(client, scene, count, alone)


def _permit(count: int) -> None:
    """Let this process, and those that it starts, open as many files as there are sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + FOR_OTHERS:
        raise SystemExit(f"{count} programs need {count + FOR_OTHERS} open files, {hard} are permitted: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _alone(count: int) -> float:
    """Return the kilobytes that the web server alone holds for each request that waits."""
    with bare.serving() as (url, pid), httpx.Client(base_url=url) as client:
        for _ in range(200):
            client.get("/")
        before = _memory(pid)
        request = (
            "GET /wait HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nif-none-match: {tag}\r\n\r\n"
        )
        with _crowds(int(url.rpartition(":")[2]), [request.format(token="t" * 60, tag="e" * 34)], count):
            settle(pid)
            return (_memory(pid) - before) / count


def _measure(client: httpx.Client, scene: Scene, count: int, alone: float) -> list[Measured]:
    admin = {"authorization": f"Bearer {scene.admin}"}
    reader = {"authorization": f"Bearer {scene.tokens[0]}"}
    place = {**scene.query, "secretValue": "first"}
    client.post(f"{LIST}/DB_PASSWORD", json=place, headers=admin).raise_for_status()
    tag = client.get(LIST, params=scene.query, headers=reader).headers["etag"]
    for _ in range(200):  # so that memory that any server comes to need is there
        client.get(LIST, params=scene.query, headers={**reader, "if-none-match": tag})
    before = _memory(scene.pid)
    with (
        _crowds(scene.port, _requests(scene, tag, count), count) as crowds,
        _visitor(client, scene.query, reader) as visitor,
    ):
        settle(scene.pid)
        used, began = _processor(scene.pid), time.monotonic()
        time.sleep(IDLE_SECONDS)
        share = 100 * (_processor(scene.pid) - used) / (time.monotonic() - began)
        kilobytes = (_memory(scene.pid) - before) / count
        visitor.calm = visitor.reset()
        published, used = time.monotonic(), _processor(scene.pid)
        client.patch(f"{LIST}/DB_PASSWORD", json={**place, "secretValue": "second"}, headers=admin).raise_for_status()
        answers = crowds()
        spent = _processor(scene.pid) - used
        visitor.busy = visitor.reset()
    took = sorted(at - published for at in answers)
    cost = (
        f"{count} waiting reads on sqlite: {kilobytes:.1f} KB each, {kilobytes / alone:.2f} times the {alone:.1f} KB of the web "
        f"server alone (limit {RATIO_LIMIT:.1f}), {share:.1f} % of a core while nothing happens (limit {SHARE_LIMIT:.0f})"
    )
    reach = (
        f"a change reaches {len(took)} of {count}: the first after {took[0] * 1000:.0f} ms, half after "
        f"{statistics.median(took):.1f} s, all after {took[-1]:.1f} s, of which {LONGEST_SPREAD:.0f} s are the spread, with "
        f"{1000 * spent / count:.1f} ms of the processor each"
    )
    limit = f"(limit of a probe {SLOWEST_PROBE:.0f} s)"
    others = f"beside {count} who wait: {visitor.calm}; while they are woken: {visitor.busy} {limit}"
    slowest = max(visitor.calm.slowest_probe, visitor.busy.slowest_probe)
    return [
        Measured(cost, kilobytes <= RATIO_LIMIT * alone and share <= SHARE_LIMIT),
        Measured(reach, len(took) == count),
        Measured(others, slowest <= SLOWEST_PROBE and not visitor.failures),
    ]


# --- somebody else ----------------------------------------------------------------------------------------------------


@dataclass
class _Visits:
    """Seconds that probes and reads took."""

    probes: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)

    @property
    def slowest_probe(self) -> float:
        return max(self.probes, default=0.0)

    def __str__(self) -> str:
        return (
            f"{len(self.reads)} reads of a secret, {1000 * statistics.median(self.reads or [0]):.1f} ms (median) and "
            f"{1000 * max(self.reads, default=0):.0f} ms at most, probes {1000 * self.slowest_probe:.0f} ms at most"
        )


@dataclass
class _Visitor:
    client: httpx.Client
    query: dict[str, str]
    headers: dict[str, str]
    visits: _Visits = field(default_factory=_Visits)
    calm: _Visits = field(default_factory=_Visits)
    busy: _Visits = field(default_factory=_Visits)
    failures: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> _Visits:
        before, self.visits = self.visits, _Visits()
        return before

    def run(self) -> None:
        while not self.over.wait(0.1):
            for times, path in ((self.visits.probes, "/readyz"), (self.visits.reads, f"{LIST}/DB_PASSWORD")):
                began = time.monotonic()
                answer = self.client.get(path, params=self.query, headers=self.headers)
                times.append(time.monotonic() - began)
                self.failures += answer.status_code != 200


@contextmanager
def _visitor(client: httpx.Client, query: dict[str, str], headers: dict[str, str]) -> Iterator[_Visitor]:
    visitor = _Visitor(client, query, headers)
    thread = threading.Thread(target=visitor.run)
    thread.start()
    try:
        yield visitor
    finally:
        visitor.over.set()
        thread.join()


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
    """One program: it asks, comes again when it is told to or nothing is new, and notes when it has the new list."""

    def __init__(self, place: tuple[str, int], request: bytes, answered: Callable[[], None]) -> None:
        """``place``: the address from which it asks, and the port."""
        self._place = place
        self._request = request
        self._answered = answered
        self._transport: asyncio.Transport | None = None
        self._done = False

    async def ask(self) -> None:
        address, port = self._place
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port, local_addr=(address, 0))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done:
            asyncio.get_running_loop().call_later(1.0, lambda: asyncio.ensure_future(self.ask()))

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        status = data[9:12] if data.startswith(b"HTTP/1.1 ") else b""
        if status == b"200":
            self._done = True
            self._answered()
        elif status and self._transport is not None:
            asyncio.get_running_loop().call_later(status != b"304", self._transport.write, self._request)


def _requests(scene: Scene, tag: str, count: int) -> list[str]:
    tokens = scene.tokens
    return [
        f"GET {LIST}?projectId={scene.project_id}&environment=dev&wait=60 HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: Bearer {tokens[number % len(tokens)]}\r\nif-none-match: {tag}\r\n"
        f"x-keyturn-instance: pod-{number}\r\n\r\n"
        for number in range(count)
    ]


@contextmanager
def _crowds(port: int, requests: Sequence[str], count: int) -> Iterator[Callable[[], list[float]]]:
    """Let ``count`` programs ask, the requests one after the other; give what waits for all and returns when each had a 200.

    Begins when all have asked.
    """
    context = multiprocessing.get_context("spawn")
    sizes = [min(OF_ONE_PROCESS, count - first) for first in range(0, count, OF_ONE_PROCESS)]
    pipes, processes, first = [], [], 0
    for number, size in enumerate(sizes):
        ours, theirs = multiprocessing.Pipe()
        own = [requests[each % len(requests)] for each in range(first, first + size)]
        arguments = (theirs, (f"127.0.0.{2 + number}", port), own, PER_SECOND / len(sizes))
        processes.append(context.Process(target=_crowd, args=arguments))
        pipes.append(ours)
        first += size

    def answers() -> list[float]:
        for pipe in pipes:
            pipe.send("count")
        return [at for pipe in pipes for at in pipe.recv()]

    for process in processes:
        process.start()
    try:
        for pipe in pipes:
            pipe.recv()
        yield answers
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _crowd(pipe: Connection, place: tuple[str, int], requests: Sequence[str], per_second: float) -> None:
    asyncio.run(_wait(pipe, place, requests, per_second))


async def _wait(pipe: Connection, place: tuple[str, int], requests: Sequence[str], per_second: float) -> None:
    answers: list[float] = []

    def answered() -> None:
        answers.append(time.monotonic())

    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, request in enumerate(requests):
        await _Waiter(place, request.encode(), answered).ask()
        await asyncio.sleep(max(0.0, began + number / per_second - loop.time()))
    pipe.send("all have asked")
    while not pipe.poll():
        await asyncio.sleep(0.2)
    for _ in range(600):
        if len(answers) == len(requests):
            break
        await asyncio.sleep(0.1)
    pipe.send(answers)
