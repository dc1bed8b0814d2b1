"""Reads of secrets by programs: how many one process answers, and how long they take, with the audit trail on.

``python -m benchmarks reads`` starts a server of its own and reads from it: in a closed loop with 32 connections, and at fixed
rates, where a request counts from the moment at which it was due. With an address it measures any server:

    python -m benchmarks.reads URL TOKEN [HEADER]

URL with path and query; HEADER is that of the token, ``Authorization: Bearer`` unless told otherwise (``X-Vault-Token``). The
generator runs on the same machine: its share of the processor is printed, since the server did not have that.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import bare
from benchmarks.load_generator import Generator, Load, Outcome
from benchmarks.measured import Measured

RATE_LIMIT, P99_LIMIT, OPEN_P99_LIMIT, LIST_LIMIT = 15_000, 5.0, 10.0, 15.0
UNCHANGED_RATIO = 1.0
"""Of their rates. Opening a value takes a few microseconds: what is left is the request itself, which both have."""
SECONDS = 5.0
WARM_SECONDS = 2.0
FEW = 500
_SECRETS = "/api/v3/secrets/raw"


@dataclass(frozen=True)
class Server:
    """A server to be measured. ``pid`` is known of one of our own."""

    url: str
    headers: Mapping[str, str]
    pid: int | None = None
    list_url: str = ""

    def processor(self) -> float:
        """Return the seconds of the processor that it has used."""
        if self.pid is None:
            return 0.0
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def etag(self) -> str:
        """Return the tag of the answer, or nothing."""
        request = urllib.request.Request(self.url, headers=dict(self.headers))
        with urllib.request.urlopen(request) as answer:
            return answer.headers.get("etag") or ""


def measure() -> list[Measured]:
    """Measure a server of our own, and first its web server alone: what that takes for a request, ours takes, too."""
    with tempfile.TemporaryDirectory() as folder:
        generator = Generator(Path(folder))
        with bare.serving() as (url, pid):
            alone = Server(f"{url}/answer", {"Authorization": "Bearer " + "t" * 60}, pid)
            generator.run(alone.url, alone.headers, Load(seconds=WARM_SECONDS))
            line, read = _line(
                alone, generator, "the web server alone, closed loop", alone.url, {}, Load(seconds=SECONDS)
            )
            tag = {"If-None-Match": '"' + "e" * 32 + '"'}
            other, unchanged = _line(alone, generator, "the same, 304", alone.url, tag, Load(seconds=SECONDS))
        with _own_server(Path(folder)) as server:
            ours = measured(server, generator, (read.rate, unchanged.rate))
    return [Measured(line), Measured(other), *ours]


def measured(server: Server, generator: Generator, alone: tuple[float, float] | None = None) -> list[Measured]:
    """Return a line for each kind of load. ``alone``: how many reads and 304s its web server alone answers in a second."""
    generator.run(server.url, server.headers, Load(seconds=WARM_SECONDS))
    line, closed = _line(server, generator, "reads, closed loop", server.url, {}, Load(seconds=SECONDS))
    kept = closed.rate >= RATE_LIMIT and closed.p99 < P99_LIMIT
    if alone:
        line += f", {closed.rate / alone[0]:.2f} x the web server alone"
    lines = [Measured(f"{line} (limits {RATE_LIMIT}/s, p99 {P99_LIMIT:.0f} ms)", kept)]
    for rate in (500, 2000):
        load = Load(rate=rate, seconds=SECONDS)
        line, outcome = _line(server, generator, f"reads, {rate}/s", server.url, {}, load)
        limit = f" (limit p99 {OPEN_P99_LIMIT:.0f} ms)" if rate == 2000 else ""
        lines.append(Measured(line + limit, not limit or outcome.p99 < OPEN_P99_LIMIT))
    if etag := server.etag():
        tag = {"If-None-Match": etag}
        line, unchanged = _line(
            server, generator, "unchanged (304), closed loop", server.url, tag, Load(seconds=SECONDS)
        )
        ratio = unchanged.rate / closed.rate
        if alone:
            line += f", {unchanged.rate / alone[1]:.2f} x the web server alone"
        lines.append(Measured(f"{line}, {ratio:.2f} x reads (limit {UNCHANGED_RATIO})", ratio >= UNCHANGED_RATIO))
    if server.list_url:
        generator.run(server.list_url, server.headers, Load(1, 0, WARM_SECONDS))
        line, outcome = _line(
            server, generator, f"list of {FEW}, one at a time", server.list_url, {}, Load(1, 0, SECONDS)
        )
        lines.append(Measured(f"{line} (limit {LIST_LIMIT:.0f} ms)", outcome.p50 < LIST_LIMIT))
    return lines


def _line(
    server: Server, generator: Generator, name: str, url: str, more: Mapping[str, str], load: Load
) -> tuple[str, Outcome]:
    before = server.processor()
    outcome = generator.run(url, {**server.headers, **more}, load)
    used = server.processor() - before
    if set(outcome.statuses) - {"200", "304"} or outcome.broken:
        raise SystemExit(f"{name}: answers {outcome.statuses}, {outcome.broken} broken off")
    each = f", {used / outcome.answers * 1e6:.0f} us of the server's processor each" if used else ""
    share = outcome.processor / outcome.seconds / (os.cpu_count() or 1)
    line = (
        f"{name}: {outcome.rate:.0f}/s, p50 {outcome.p50:.2f} ms, p99 {outcome.p99:.2f} ms, longest {outcome.longest:.0f} ms"
        f"{each};"
        f" the generator ({generator.name}) took {share:.0%} of {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    )
    return line, outcome


# --- a server of our own ----------------------------------------------------------------------------------------------


@contextmanager
def _own_server(folder: Path) -> Iterator[Server]:
    """Start ``keyturn serve`` with SQLite, a project, a secret of 40 bytes, and a folder of many."""
    environ = os.environ | {
        "KEYTURN_DATA_DIR": str(folder / "data"),
        "ENCRYPTION_KEY": secrets.token_hex(32),
        "KEYTURN_SETUP_CODE": "benchmark-setup-code",
        "LOG_LEVEL": "info",
    }
    command = [sys.executable, "-m", "keyturn", "serve", "--port", "0", "--no-worker"]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=log, text=True)
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        if "ready at" not in line:
            raise SystemExit("the server did not start:\n" + (folder / "log").read_text()[-2000:])
        yield _filled(line.split()[4], child.pid)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)


def _filled(origin: str, pid: int) -> Server:
    first = {"email": "ada@example.com", "password": "vellum-orbit-pickle-97", "organization": "Contoso"}
    token = _ask(origin, "POST", "/api/v1/admin/bootstrap", first, {"X-Keyturn-Setup-Code": "benchmark-setup-code"})[
        "identity"
    ]["credentials"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    project = _ask(origin, "POST", "/api/v1/projects", {"projectName": "Payments"}, headers)["project"]["id"]
    where = {"workspaceId": project, "environment": "dev"}
    _ask(origin, "POST", f"{_SECRETS}/DATABASE_URL", {**where, "secretValue": secrets.token_hex(20)}, headers)
    for part in range(0, FEW, 100):
        many = [
            {"secretKey": f"NAME_{number}", "secretValue": secrets.token_hex(20)} for number in range(part, part + 100)
        ]
        body = {"workspaceId": project, "environment": "prod", "secrets": many}
        _ask(origin, "POST", "/api/v3/secrets/batch/raw", body, headers)
    query = f"workspaceId={project}&environment"
    return Server(f"{origin}{_SECRETS}/DATABASE_URL?{query}=dev", headers, pid, f"{origin}{_SECRETS}?{query}=prod")


def _ask(origin: str, method: str, path: str, body: object, headers: Mapping[str, str]) -> Any:
    sent = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(origin + path, json.dumps(body).encode(), sent, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def main(arguments: list[str]) -> None:
    """Measure the server at an address."""
    url, token, *header = arguments
    name, _, before = (header[0] if header else "Authorization: Bearer").partition(":")
    server = Server(url, {name: f"{before.strip()} {token}".strip()})
    with tempfile.TemporaryDirectory() as folder:
        for each in measured(server, Generator(Path(folder))):
            print(each, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
