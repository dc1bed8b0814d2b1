"""The served emulator, seen from the socket and from the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from entra_emulator import HANG, RESET, Emulator, SigningKey, SystemClock, slow
from entra_emulator.server.server import run_in_thread
from tests.emulator.conftest import Served


def trusting(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


@contextmanager
def raw(world: Served) -> Iterator[ssl.SSLSocket]:
    plain = socket.create_connection(("127.0.0.1", world.running.port), timeout=10)
    with trusting(world.running.ca_file).wrap_socket(plain, server_hostname="localhost") as secure:
        yield secure


def exchange(world: Served, data: bytes) -> bytes:
    """Sends bytes and reads until the server closes."""
    with raw(world) as connection:
        connection.sendall(data)
        return drain(connection)


def drain(connection: socket.socket) -> bytes:
    """Reads until the other side closes."""
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received


def client(world: Served, **options: float) -> httpx.Client:
    return httpx.Client(verify=trusting(world.running.ca_file), base_url=world.running.authority, **options)  # type: ignore[arg-type]


def token_form(world: Served) -> dict[str, str]:
    app = world.demo.connection
    return {
        "grant_type": "client_credentials",
        "client_id": app.app_id,
        "client_secret": app.secrets[0].value,
        "scope": "https://graph.microsoft.com/.default",
    }


def test_a_reset_is_a_real_reset_of_the_connection(world: Served) -> None:
    world.emulator.faults.fail_next("token", RESET)
    body = urlencode(token_form(world)).encode()
    head = f"POST /{world.demo.tenant_id}/oauth2/v2.0/token HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with raw(world) as connection:
        connection.sendall(head.encode() + body)
        with socket.socket(fileno=connection.detach()) as bare:  # below TLS, where a reset can be told from an end
            bare.settimeout(10)
            with pytest.raises(ConnectionResetError):
                drain(bare)


def test_a_hanging_call_does_not_stop_others(world: Served) -> None:
    world.emulator.faults.fail_next("token", HANG)
    path = f"/{world.demo.tenant_id}/oauth2/v2.0/token"
    with client(world) as slow_client, client(world) as other:
        with pytest.raises(httpx.ReadTimeout):
            slow_client.post(path, data=token_form(world), timeout=httpx.Timeout(30, read=1))
        assert other.post(path, data=token_form(world)).status_code == 200


def test_a_slow_body_follows_its_headers(world: Served) -> None:
    world.emulator.faults.fail_next("token", slow(1))
    path = f"/{world.demo.tenant_id}/oauth2/v2.0/token"
    with client(world) as http, http.stream("POST", path, data=token_form(world)) as response:
        assert response.status_code == 200
        begun = time.monotonic()
        assert b"access_token" in response.read()
        assert time.monotonic() - begun > 0.2


def test_connections_are_kept_and_pipelined_requests_are_answered_in_order(world: Served) -> None:
    first = b"GET /_emulator/health HTTP/1.1\r\nHost: x\r\n\r\n"
    second = b"GET /_emulator/nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /_emulator/clock HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    responses = exchange(world, first + second + last)
    assert re.findall(rb"HTTP/1\.1 (\d+) ", responses) == [b"200", b"404", b"200"]


def test_a_chunked_request_is_read(world: Served) -> None:
    body = urlencode(token_form(world)).encode()
    with client(world) as http:
        answer = http.post(
            f"/{world.demo.tenant_id}/oauth2/v2.0/token",
            content=iter([body[:20], body[20:]]),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    assert answer.status_code == 200


def test_what_a_client_of_http_1_0_reads_is_not_in_chunks(world: Served) -> None:
    path = f"/v1.0/applications/{world.demo.connection.object_id}"
    for version, chunked in ((b"1.0", False), (b"1.1", True)):
        head, body = exchange(world, b"GET %s HTTP/%s\r\nConnection: close\r\n\r\n" % (path.encode(), version)).split(
            b"\r\n\r\n", 1
        )
        assert (b"\r\nTransfer-Encoding: chunked" in head) == chunked
        if not chunked:
            assert f"\r\nContent-Length: {len(body)}".encode() in head
            assert json.loads(body)["error"]["code"] == "InvalidAuthenticationToken"


def test_a_header_of_several_lines_is_a_list(world: Served) -> None:
    token = httpx.post(
        f"{world.running.authority}/{world.demo.tenant_id}/oauth2/v2.0/token",
        data=token_form(world)
        | {"client_id": world.demo.wide.app_id, "client_secret": world.demo.wide.secrets[0].value},
        verify=trusting(world.running.ca_file),
    ).json()["access_token"]
    body = b'{"displayName":"upserted"}'
    lines = (
        "PATCH /v1.0/applications(uniqueName='lines') HTTP/1.1",
        "Host: x",
        "Connection: close",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Prefer: create-if-missing",
        "Prefer: return=minimal",
    )
    answer = exchange(world, "\r\n".join((*lines, "", "")).encode() + body)
    assert answer.split()[1] == b"201"


def test_a_client_that_waits_for_100_continue_is_told_to(world: Served) -> None:
    body = urlencode(token_form(world)).encode()
    head = (
        f"POST /{world.demo.tenant_id}/oauth2/v2.0/token HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with raw(world) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"413"),
        (b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"404"),
    ],
)
def test_bytes_that_are_no_request_are_refused_and_the_server_lives(world: Served, data: bytes, status: bytes) -> None:
    assert exchange(world, data).split()[1] == status
    with client(world) as http:
        assert http.get("/_emulator/health").json() == {"status": "ok"}


def test_the_ledger_knows_the_real_times_of_a_served_request(world: Served) -> None:
    begun = time.time()
    with client(world) as http:
        http.post(f"/{world.demo.tenant_id}/oauth2/v2.0/token", data=token_form(world))
    entry = world.emulator.ledger.query(operation="token")[-1]
    assert begun <= entry.started <= entry.ended <= time.time()


def test_latency_holds_up_nobody_else(signing_key: SigningKey) -> None:
    emulator = Emulator(SystemClock(), signing_key=signing_key)
    with run_in_thread(emulator, latency=1) as running:
        context = trusting(running.ca_file)

        def ask(_: int) -> int:
            return httpx.get(f"{running.authority}/common/discovery/v2.0/keys", verify=context, timeout=60).status_code

        begun = time.monotonic()
        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(ask, range(20))) == {200}
        assert time.monotonic() - begun < 15, "one after the other would take twenty seconds"


def test_the_certificate_covers_microsofts_own_names(world: Served) -> None:
    plain = socket.create_connection(("127.0.0.1", world.running.port), timeout=10)
    name = "login.microsoftonline.com"
    with trusting(world.running.ca_file).wrap_socket(plain, server_hostname=name) as secure:
        assert secure.version()


def test_the_command_serves_the_demo_and_says_how_to_reach_it(tmp_path: Path) -> None:
    ready_file, ca_file = tmp_path / "ready.json", tmp_path / "ca.pem"
    command = [sys.executable, "-m", "entra_emulator", "serve", "--demo", "--seed", "5", "--latency-ms", "1"]
    command += ["--ca-file", str(ca_file), "--ready-file", str(ready_file)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        ready = json.loads(ready_file.read_text())
        app = ready["demo"]["connection"]
        form = {
            "grant_type": "client_credentials",
            "client_id": app["app_id"],
            "client_secret": app["secrets"][0]["value"],
            "scope": "https://graph.microsoft.com/.default",
        }
        url = f"{ready['authority']}/{ready['demo']['tenant_id']}/oauth2/v2.0/token"
        token = httpx.post(url, data=form, verify=trusting(ready["ca_file"])).json()["access_token"]
        read = httpx.get(
            f"{ready['graph']}/applications/{app['object_id']}",
            headers={"Authorization": f"Bearer {token}"},
            verify=trusting(ready["ca_file"]),
        )
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert ready["authority"] in line
    assert ready["pid"] == process.pid
    assert ready_file.stat().st_mode & 0o077 == 0
    assert read.json()["displayName"] == "Keyturn connection"
    for tool in ("MSAL", "azure-identity", "msgraph-sdk", "az cloud register"):
        assert tool in rest
