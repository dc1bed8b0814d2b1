"""Starts processes of the product in milliseconds: a parent that has imported everything forks them, before any thread exists.

What runs in a child is the command line itself, with real threads, sockets, engine and signals. ``python -m
tests.kill.zygote`` reads orders as JSON lines and answers each with one line; :class:`Zygote` is its other side.
"""

import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keyturn
from tests.system.installation import ROOT, system_environ

FOREIGN = (
    "alembic.command",
    "anyio._backends._asyncio",
    "dbos",
    "dbos._sys_db_sqlite",
    "granian.server.embed",
    "httpx2",
    "jinja2",
    "msal",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "typer._adapters",
    "uvloop",
)
RUN_WHEN_IMPORTED = ("keyturn.__main__", "keyturn.db.migrations.")


@dataclass
class Child:
    """A process of the product, and the file with all it prints."""

    pid: int
    log: Path


class Zygote:
    """Forks processes of the product and reaps them."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._started = 0

    def start(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Child:
        """Run ``keyturn`` with these arguments; returns at once."""
        self._started += 1
        log = self._folder / f"{arguments[0]}-{self._started}.log"
        pid = self._ask({"arguments": list(arguments), "environ": dict(environ), "log": str(log)})
        return Child(int(pid), log)

    def kill(self, child: Child) -> None:
        """``kill -9``, and wait until it is gone."""
        os.kill(child.pid, signal.SIGKILL)
        self.wait(child)

    def wait(self, child: Child) -> int:
        """Wait until it has ended; returns its exit status, negative for a signal."""
        return int(self._ask({"wait": child.pid}))

    def said(self) -> str:
        """What all processes said last, for the message of a failure."""
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(self._folder.glob("*.log")))

    def stacks(self, child: Child) -> str:
        """What the process said last, and what each of its threads is doing: for the message of a failure."""
        os.kill(child.pid, signal.SIGUSR1)
        time.sleep(1)
        return child.log.read_text(errors="replace")[-20_000:]

    def _ask(self, order: dict[str, Any]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the zygote is gone"
        return answer


@contextmanager
def zygote(folder: Path) -> Iterator[Zygote]:
    """A zygote whose children's logs go into the folder. Children that still live at the end are killed."""
    folder.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kill.zygote"],
        cwd=ROOT,
        env=system_environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Zygote(process, folder)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)


def main() -> None:
    ours = [module.name for module in pkgutil.walk_packages(keyturn.__path__, "keyturn.")]
    for module in (*FOREIGN, *(name for name in ours if not name.startswith(RUN_WHEN_IMPORTED))):
        importlib.import_module(module)
    threads = list(Path("/proc/self/task").iterdir())
    assert len(threads) == 1, "fork would copy only one of several threads"
    gc.freeze()
    children: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            children.discard(order["wait"])
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            _become(order)
        children.add(pid)
        print(pid, flush=True)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _become(order: dict[str, Any]) -> None:
    from keyturn.cli.main import main as command  # noqa: PLC0415 - loaded by the parent

    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    faulthandler.register(signal.SIGUSR1)
    os.environ.clear()
    os.environ.update(order["environ"])
    status = 70
    try:
        status = command(order["arguments"], order["environ"])
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
