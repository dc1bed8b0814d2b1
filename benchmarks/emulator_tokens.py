"""How many token requests the emulator answers: in process, and over TLS by a server of its own.

    python benchmarks/emulator_tokens.py [--seconds 3] [--connections 16]

Over TLS the server is a process of its own, held to one core where the system can do that. Next to the rate that the
clients saw stands the rate per second of the server's own processor time, which does not depend on how fast the
clients are. Every answer is checked to be a 200 with a token.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvloop

from benchmarks.measured import Measured
from entra_emulator import Emulator, Request, SystemClock

SCOPE = "https://graph.microsoft.com/.default"


def form(app_id: str, secret: str) -> bytes:
    fields = {"grant_type": "client_credentials", "client_id": app_id, "client_secret": secret, "scope": SCOPE}
    return urlencode(fields).encode()


def in_process(seconds: float) -> float:
    """Requests per second of processor time."""
    emulator = Emulator(SystemClock())
    demo = emulator.seed_demo()
    app = demo.connection
    url = f"https://login.microsoftonline.com/{demo.tenant_id}/oauth2/v2.0/token"
    request = Request("POST", url, {"User-Agent": "benchmark"}, form(app.app_id, app.secrets[0].value))
    count, begun, over = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < over:
        if emulator.handle(request).status != 200:
            raise SystemExit("a token request failed")
        count += 1
    return count / (time.process_time() - begun)


def processor_time(pid: int) -> float | None:
    """Seconds of processor time that a process has used, where the system tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def one_client(port: int, context: ssl.SSLContext, request: bytes, over: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    count = 0
    while time.perf_counter() < over:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(size)
        if not head.startswith(b"HTTP/1.1 200 ") or b"access_token" not in body:
            raise SystemExit("a token request failed")
        count += 1
    writer.close()
    return count


async def all_clients(ready: dict[str, Any], seconds: float, connections: int) -> tuple[int, float]:
    app, tenant = ready["demo"]["connection"], ready["demo"]["tenant_id"]
    body = form(app["app_id"], app["secrets"][0]["value"])
    host = ready["authority"].removeprefix("https://")
    head = (
        f"POST /{tenant}/oauth2/v2.0/token HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    context = ssl.create_default_context(cafile=ready["ca_file"])
    begun = time.perf_counter()
    over = begun + seconds
    port = int(host.rpartition(":")[2])
    counts = await asyncio.gather(*(one_client(port, context, head.encode() + body, over) for _ in range(connections)))
    return sum(counts), time.perf_counter() - begun


def over_tls(seconds: float, connections: int) -> tuple[float, float | None]:
    """Requests per second as the clients saw it, and per second of the server's processor time."""
    with tempfile.TemporaryDirectory() as folder:
        ready_file = Path(folder) / "ready.json"
        command = [sys.executable, "-m", "entra_emulator", "serve", "--demo", "--ready-file", str(ready_file)]
        command += ["--ca-file", str(Path(folder) / "ca.pem")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
            try:
                assert server.stdout is not None
                server.stdout.readline()
                if hasattr(os, "sched_setaffinity"):
                    os.sched_setaffinity(server.pid, {min(os.sched_getaffinity(0))})
                ready = json.loads(ready_file.read_text(encoding="utf-8"))
                before = processor_time(server.pid)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    count, took = runner.run(all_clients(ready, seconds, connections))
                after = processor_time(server.pid)
            finally:
                server.send_signal(signal.SIGTERM)
    used = after - before if before is not None and after is not None else None
    return count / took, count / used if used else None


def measure(seconds: float = 5.0, connections: int = 8) -> Measured:
    """Measure both ways for so many seconds each; return one line."""
    alone = in_process(seconds)
    seen, _ = over_tls(seconds, connections)
    return Measured(f"local Entra ID: {alone:,.0f} token requests/s of one core in process, {seen:,.0f} over TLS")


def main() -> None:
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--seconds", type=float, default=3.0)
    reader.add_argument("--connections", type=int, default=16)
    asked = reader.parse_args()
    print(f"in process: {in_process(asked.seconds):,.0f} token requests per second of one core")
    seen, per_core = over_tls(asked.seconds, asked.connections)
    print(f"over TLS:   {seen:,.0f} token requests/s with {asked.connections} connections")
    if per_core is not None:
        print(f"            {per_core:,.0f} token requests per second of the server's processor time")


if __name__ == "__main__":
    main()
