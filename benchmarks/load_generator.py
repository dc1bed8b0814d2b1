"""Load for reads: the Go program beside it where Go is there, else a slower one of Python's own. One outcome for both."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

_SOURCE = Path(__file__).parent / "load"
_PATIENCE_SECONDS = 120


class Outcome(msgspec.Struct):
    """Times in milliseconds; ``processor`` in seconds, of the generator itself."""

    answers: int
    seconds: float
    p50: float
    p99: float
    longest: float
    statuses: dict[str, int]
    broken: int
    processor: float

    @property
    def rate(self) -> float:
        return self.answers / self.seconds


@dataclass(frozen=True)
class Load:
    """``rate`` 0: each connection asks again at once (closed loop); else requests per second, each due at its moment."""

    connections: int = 32
    rate: int = 0
    seconds: float = 5.0


class Generator:
    """Builds the Go program once, into ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = self._build()

    @property
    def name(self) -> str:
        return "Go" if self._program else "Python"

    def run(self, url: str, headers: Mapping[str, str], load: Load) -> Outcome:
        """Send the load and return what came of it."""
        path = self._folder / "headers"
        path.write_text("".join(f"{name}: {text}\n" for name, text in headers.items()), encoding="latin-1")
        path.chmod(0o600)  # there is a token in it
        program = [str(self._program)] if self._program else [sys.executable, "-m", "benchmarks.load_generator"]
        options = {
            "url": url,
            "headers": path,
            "connections": load.connections,
            "rate": load.rate,
            "seconds": load.seconds,
        }
        command = [*program, *(f"-{name}={value}" for name, value in options.items())]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_PATIENCE_SECONDS)
        path.unlink()
        return msgspec.json.decode(done.stdout, type=Outcome)

    def _build(self) -> Path | None:
        go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
        if go is None:
            return None
        program = self._folder / "load"
        environ = {"HOME": str(self._folder), "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "PATH": "/usr/bin:/bin"}
        built = subprocess.run([go, "build", "-o", str(program), "."], cwd=_SOURCE, env=environ, check=False)
        return program if built.returncode == 0 else None


# --- Python's own -----------------------------------------------------------------------------------------------------


async def _send(url: str, lines: str, load: Load) -> Outcome:
    parts = urlsplit(url)
    head = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    request = (head + "".join(f"{line}\r\n" for line in lines.splitlines()) + "\r\n").encode("latin-1")
    times: list[float] = []
    statuses: Counter[str] = Counter()
    began = time.perf_counter()
    ordinals = iter(range(sys.maxsize))

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while True:
            due = time.perf_counter()
            if load.rate:
                due = began + next(ordinals) / load.rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if due - began >= load.seconds:
                break
            writer.write(request)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = answer.partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(size or 0))
            times.append((time.perf_counter() - due) * 1000)
            statuses[answer[9:12].decode()] += 1
        writer.close()

    await asyncio.gather(*(connection() for _ in range(load.connections)))
    seconds, times = time.perf_counter() - began, sorted(times) or [0.0]
    p50, p99 = (times[int(share * (len(times) - 1))] for share in (0.5, 0.99))
    return Outcome(sum(statuses.values()), seconds, p50, p99, times[-1], dict(statuses), 0, time.process_time())


def _main(arguments: list[str]) -> None:
    given = dict(each.removeprefix("-").split("=", 1) for each in arguments)
    load = Load(int(given["connections"]), int(given["rate"]), float(given["seconds"]))
    lines = Path(given["headers"]).read_text(encoding="latin-1")
    print(json.dumps(msgspec.to_builtins(asyncio.run(_send(given["url"], lines, load)))))


if __name__ == "__main__":
    _main(sys.argv[1:])
