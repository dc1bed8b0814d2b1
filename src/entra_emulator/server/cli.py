"""The command `entra-emulator`."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
import uvloop

from entra_emulator.admin.demo import Demo
from entra_emulator.admin.seed_file import plant
from entra_emulator.core.clock import SystemClock
from entra_emulator.server.emulator import Emulator
from entra_emulator.server.files import write_whole
from entra_emulator.server.instructions import client_environment, environment_file, how_to_point, usable_sign_in
from entra_emulator.server.outside import Network
from entra_emulator.server.server import Running, Server
from entra_emulator.server.state import StateFolder

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A local Entra ID and Microsoft Graph for tests.")


@app.callback()
def _main() -> None:
    """A local Entra ID and Microsoft Graph for tests."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    ca_file: Annotated[Path, typer.Option(help="Where to write the certificate that clients must trust.")] = Path(
        "entra-emulator-ca.pem"
    ),
    seed: Annotated[int, typer.Option(help="Start of all randomness.")] = 0,
    demo: Annotated[bool, typer.Option("--demo", help="Begin with the demo tenant.")] = False,
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where people who sign in to the demo tenant come back to; repeatable.")
    ] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Where to write, once ready, how to reach it (JSON).")] = None,
    env_file: Annotated[
        Path | None, typer.Option(help="Where to write the variables that point programs at it (NAME=value).")
    ] = None,
    metadata_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port for managed identity's endpoints, without TLS; 0 takes a free one."),
    ] = None,
    challenge_dir: Annotated[
        Path | None, typer.Option(help="Where to write the files of Azure Arc's challenges.")
    ] = None,
    issuer_ca_file: Annotated[
        Path | None, typer.Option(help="A certificate to believe of issuers, besides the machine's.")
    ] = None,
    latency_ms: Annotated[float, typer.Option(min=0, help="Milliseconds added to every answer.")] = 0.0,
    state: Annotated[
        Path | None, typer.Option(help="Folder that keeps certificate, signing key, directory, ledger and logs.")
    ] = None,
    seed_file: Annotated[Path | None, typer.Option(help="Tenants to begin with (JSON); not what was kept.")] = None,
    host_name: Annotated[list[str] | None, typer.Option(help="One more name in its certificate; repeatable.")] = None,
) -> None:
    """Serves an emulator over TLS until it is interrupted."""
    if redirect_uri and not demo:
        raise typer.BadParameter("a redirect URI belongs to the demo tenant: add --demo", param_hint="--redirect-uri")
    with _refusing("--issuer-ca-file"):
        outside = Network(challenge_folder=challenge_dir, ca_file=issuer_ca_file)
    with _refusing("--state"):
        folder = StateFolder(state) if state else None
        clock, key = SystemClock(), folder.signing_key() if folder else None
        emulator = Emulator(clock, seed, signing_key=key, outside=outside)
        kept = folder.load(emulator) if folder else None
    if kept is not None:
        clock.advance(kept.ahead)
    if seed_file is not None and kept is None:
        with _refusing("--seed-file"):
            plant(emulator.handle, seed_file.read_bytes())
    demo_tenant = kept.demo if kept else None
    if demo:
        with _refusing("--redirect-uri" if redirect_uri else "--demo"):
            demo_tenant = _demo(emulator, demo_tenant, redirect_uri or [])
    if folder is not None:
        with _refusing("--state"):
            folder.begin(emulator, demo_tenant)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        server = Server(emulator, latency=latency_ms / 1000, state=folder)
        server.host_names = tuple(host_name or ())
        runner.run(_serve(server, (host, port, metadata_port), _Files(ca_file, ready_file, env_file), demo_tenant))


def _demo(emulator: Emulator, kept: Demo | None, redirect_uris: list[str]) -> Demo:
    """The demo tenant that was kept, or a new one, with these redirect URIs."""
    if kept is None:
        return emulator.seed_demo(tuple(redirect_uris))
    if redirect_uris:
        for application in (kept.sign_in, kept.people):
            emulator.admin.set_redirect_uris(application.object_id, *redirect_uris)
    return kept


class _Files(NamedTuple):
    """What is written for clients, once it listens."""

    certificate: Path
    ready: Path | None
    environment: Path | None


@contextmanager
def _refusing(option: str) -> Iterator[None]:
    """What cannot be read, written or understood in this block is the fault of this option's value."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


async def _serve(server: Server, place: tuple[str, int, int | None], files: _Files, demo: Demo | None) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    try:
        running = await _start(server, place, files.certificate.absolute())
        sign_in = usable_sign_in(server.emulator, demo.connection.app_id if demo else "")
        if files.environment is not None:
            with _refusing("--env-file"):
                write_whole(files.environment, environment_file(client_environment(running, sign_in)).encode())
        if files.ready is not None:
            with _refusing("--ready-file"):
                write_whole(files.ready, json.dumps(ready(running, demo), indent=2).encode())
        typer.echo(how_to_point(running, sign_in))
        await over.wait()
    finally:
        await server.stop()


async def _start(server: Server, place: tuple[str, int, int | None], certificate: Path) -> Running:
    host, port, metadata_port = place
    try:
        return await server.start(host, port, certificate, metadata_port)
    except OSError as error:
        if error.filename is not None:
            raise typer.BadParameter(str(error), param_hint="--ca-file") from error
        is_taken = error.errno == errno.EADDRINUSE
        where = "--port, --metadata-port" if is_taken else "--host"
        advice = " Port 0 takes a free one." if is_taken else ""
        raise typer.BadParameter(f"cannot listen there: {error}.{advice}", param_hint=where) from error
    except ValueError as error:  # of the certificate, which names them all
        raise typer.BadParameter(str(error), param_hint="--host, --host-name") from error


def ready(running: Running, demo: Demo | None) -> dict[str, Any]:
    """What the ready file says."""
    return {
        "authority": running.authority,
        "graph": running.graph,
        "ca_file": running.ca_file,
        "admin": running.admin,
        "metadata": running.metadata or None,
        "identity_header": running.identity_header,
        "pid": os.getpid(),
        "demo": demo.as_dict() if demo else None,
    }


def run() -> None:
    """Entry point."""
    app()
