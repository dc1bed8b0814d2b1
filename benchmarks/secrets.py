"""Secrets of a project: how long a list of 500 takes, how many writes last per second, what memory a list of 100,000 takes.

The list is asked for as clients do, by a request with a token to the whole application in this process. The writes are the
whole use case, by several threads; each is on the disk, with its event and its number in the feed, before the thread goes on.
Both are judged by processor time; beside it stands what the clock shows, which depends on what else the machine does and on
how fast it makes a commit last. The large list is read in a process of its own, by a caller who takes it part by part.
"""

import asyncio
import gc
import multiprocessing
import os
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from benchmarks.measured import Measured
from benchmarks.pages import database
from keyturn.app.core import Core, open_core
from keyturn.app.web import open_access, web_application
from keyturn.db.tables import secret_folders, secret_versions
from keyturn.db.tables import secrets as secret_rows
from keyturn.kit.secret import Plaintext
from keyturn.secrets.domain import Address, NewSecret
from keyturn.secrets.service import Secrets
from keyturn.settings.reader import read_settings
from tests.client import Client
from tests.features.secrets.many import add_many

FEW, LOOKS, LIST_LIMIT = 500, 40, 15
THREADS, SECONDS, WRITES_LIMIT = 8, 4.0, 300
MANY, MEMORY_LIMIT = 100_000, 50
FLUSHES = 100
LIST = "/api/v4/secrets"
_PASSWORD = Plaintext("vellum-orbit-pickle-97")


@dataclass(frozen=True)
class Scene:
    """A server with a project, and a caller who may read and write in it."""

    core: Core
    client: Client
    project_id: str
    headers: Mapping[str, str]

    def read(self, path: str, **headers: str) -> Any:
        query = {"projectId": self.project_id, "environment": "dev", "secretPath": path}
        return self.client.get(LIST, params=query, headers={**self.headers, **headers})


def measure(kind: str) -> list[Measured]:
    """Return a line for each of the three."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as folder, database(kind) as where:
        variables = {"KEYTURN_DATA_DIR": folder, "ENCRYPTION_KEY": secrets.token_hex(32)} | where
        with _scene(variables) as scene:
            _fill(scene, "few", FEW)
            _fill(scene, "many", MANY)
            listed, written = _list(kind, scene), _write(kind, scene)
            arguments = (variables, scene.headers, scene.project_id)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            megabytes, size, took = pool.apply(read_many, arguments)
    line = (
        f"list of {MANY} secrets on {kind}: {size / 2**20:.0f} MiB in {took:.1f} s, {megabytes:.0f} MiB of memory at most"
        f" (limit {MEMORY_LIMIT})"
    )
    return [listed, written, Measured(line, megabytes <= MEMORY_LIMIT)]


@contextmanager
def _scene(variables: Mapping[str, str]) -> Iterator[Scene]:
    core = open_core(read_settings(variables), lambda _notice: None)
    try:
        made = open_access(core).bootstrap("ada@example.com", _PASSWORD, "Contoso")
        headers = {"authorization": f"Bearer {made.token.reveal()}"}
        with Client(web_application(core, None)) as client:
            yield Scene(core, client, _project(client, headers, "Payments"), headers)
    finally:
        core.close()


def _project(client: Client, headers: Mapping[str, str], name: str) -> str:
    made: str = client.post("/api/v1/projects", json={"projectName": name}, headers=headers).json()["project"]["id"]
    return made


def _list(kind: str, scene: Scene) -> Measured:
    """Ask for the list as a whole, and for whether it has changed, in turn."""
    whole, unchanged, etag = [], [], ""
    gc.freeze()  # as a server does once it has started
    for _ in range(LOOKS):
        used, began = time.process_time(), time.perf_counter()
        answer = scene.read("/few")
        whole.append((time.process_time() - used, time.perf_counter() - began))
        etag = answer.headers["etag"]
        used = time.process_time()
        assert scene.read("/few", **{"if-none-match": etag}).status_code == 304
        unchanged.append(time.process_time() - used)
    used, took = (statistics.median(times) * 1000 for times in zip(*whole, strict=True))
    line = (
        f"list of {FEW} secrets on {kind}: {used:.1f} ms of processor time, the client's as well (limit {LIST_LIMIT}),"
        f" {took:.1f} ms of the clock; {statistics.median(unchanged) * 1000:.1f} ms when nothing changed"
    )
    return Measured(line, used <= LIST_LIMIT)


def _write(kind: str, scene: Scene) -> Measured:
    """Add secrets for a few seconds, each thread in a project of its own: what commits at one time may share a flush there."""
    counts: list[int] = []
    core = scene.core
    use_cases = Secrets(core.database, core.sealer, core.clock, core.ids)
    actor = open_access(core).authenticate(scene.headers["authorization"].partition(" ")[2], "127.0.0.1")
    projects = [_project(scene.client, scene.headers, f"Writes {number}") for number in range(THREADS)]
    over = time.perf_counter() + SECONDS

    def work(project_id: str) -> None:
        address, count = Address(project_id, None, "dev"), 0
        while time.perf_counter() < over:
            use_cases.create(actor, address, NewSecret(f"NAME_{count}", Plaintext(f"value {count}")))
            count += 1
        counts.append(count)

    began, used = time.perf_counter(), time.process_time()
    threads = [threading.Thread(target=work, args=(project_id,)) for project_id in projects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used, flush = time.perf_counter() - began, time.process_time() - used, flush_seconds()
    line = (
        f"writes of secrets on {kind}: {sum(counts) / used:.0f} per second of processor time (limit {WRITES_LIMIT}),"
        f" {sum(counts) / took:.0f} per second of the clock with {THREADS} threads; one flush of the disk takes"
        f" {flush * 1000:.1f} ms"
    )
    return Measured(line, sum(counts) / used >= WRITES_LIMIT)


def flush_seconds() -> float:
    """Return how many seconds it takes until a few bytes are on the disk."""
    times = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(FLUSHES):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def read_many(variables: Mapping[str, str], headers: Mapping[str, str], project_id: str) -> tuple[float, int, float]:
    """Read the large list in this process; return by how many MiB its memory grew at most, the size, and the seconds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    core = open_core(read_settings(variables), lambda _notice: None)
    try:
        application = web_application(core, None)
        asyncio.run(_received(application, headers, project_id, "few"))  # loads what any answer needs
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is counted from now on
        began = time.perf_counter()
        size = asyncio.run(_received(application, headers, project_id, "many"))
        return _memory("VmHWM") - before, size, time.perf_counter() - began
    finally:
        core.close()


async def _received(application: Any, headers: Mapping[str, str], project_id: str, folder: str) -> int:
    size = 0

    async def receive() -> Any:
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        nonlocal size
        assert message.get("status", 200) == 200
        size += len(message.get("body", b""))

    query = f"projectId={project_id}&environment=dev&secretPath=/{folder}".encode()
    raw = [(name.encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": LIST,
        "query_string": query,
    }
    await application(scope | {"headers": raw, "client": ("127.0.0.1", 1)}, receive, send)
    return size


def _memory(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name)) / 1024


def _fill(scene: Scene, folder: str, count: int) -> None:
    """Add a folder with so many secrets, as if they had been added one by one."""
    body = {"projectId": scene.project_id, "environment": "dev", "name": folder}
    row = scene.client.post("/api/v2/folders", json=body, headers=scene.headers).json()["folder"]
    core = scene.core
    values = (
        (f"NAME_{number:06}", f"postgres://user:{secrets.token_hex(16)}@db-{number}.internal:5432/app")
        for number in range(count)
    )
    add_many(core.database, core.sealer, core.ids, scene.project_id, row["id"], values)
    with core.database.write() as tx:
        for table in (secret_folders, secret_rows, secret_versions):
            tx.connection.exec_driver_sql(f"ANALYZE {table.name}")  # as the database does by itself, a minute later


if __name__ == "__main__":
    import sys

    for each in measure(sys.argv[1]):
        print(each)
