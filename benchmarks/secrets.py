"""Secrets of a project: how long a list of 500 takes, how many writes last per second, what memory a list of 100,000 takes.

The list is asked for as clients do, by a request with a token, and timed in this process from the first byte to the last. The
writes are requests, too, by several threads that each add secrets to one project; every one of them is committed to the disk,
with its event and its number in the feed, before it is answered. The large list is read in a process of its own, by a caller
who takes it part by part.
"""

import asyncio
import multiprocessing
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
from keyturn.settings.reader import read_settings
from tests.client import Client
from tests.features.secrets.many import add_many

FEW, LOOKS, LIST_LIMIT = 500, 40, 15
THREADS, SECONDS, WRITES_LIMIT = 8, 4.0, 300
MANY, MEMORY_LIMIT = 100_000, 100
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
            project = client.post("/api/v1/projects", json={"projectName": "Payments"}, headers=headers).json()[
                "project"
            ]
            yield Scene(core, client, project["id"], headers)
    finally:
        core.close()


def _list(kind: str, scene: Scene) -> Measured:
    times, etag = {"whole": [], "not changed": []}, ""
    for _ in range(LOOKS):
        for name, known in (("whole", ""), ("not changed", etag)):
            began = time.perf_counter()
            answer = scene.read("/few", **({"if-none-match": known} if known else {}))
            times[name].append(time.perf_counter() - began)
            assert answer.status_code == (304 if known else 200)
        etag = answer.headers["etag"]
    whole, known = (statistics.median(each[1:]) * 1000 for each in times.values())
    line = f"list of {FEW} secrets on {kind}: {whole:.1f} ms (limit {LIST_LIMIT}), {known:.1f} ms when nothing changed"
    return Measured(line, whole <= LIST_LIMIT)


def _write(kind: str, scene: Scene) -> Measured:
    counts: list[int] = []
    over = time.perf_counter() + SECONDS

    def work(writer: int) -> None:
        count = 0
        while time.perf_counter() < over:
            body = {"projectId": scene.project_id, "environment": "dev", "secretValue": f"value {count} of {writer}"}
            answer = scene.client.post(f"{LIST}/W{writer}_{count}", json=body, headers=scene.headers)
            assert answer.status_code == 200, answer.text
            count += 1
        counts.append(count)

    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = sum(counts) / (time.perf_counter() - began)
    line = (
        f"writes of secrets on {kind}: {rate:.0f} per second by {THREADS} clients of one project (limit {WRITES_LIMIT})"
    )
    return Measured(line, rate >= WRITES_LIMIT)


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
