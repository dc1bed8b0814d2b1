"""The command `entra-emulator`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from entra_emulator.admin.demo import Demo
from entra_emulator.admin.seed_file import plant
from entra_emulator.core.clock import SystemClock
from entra_emulator.server.emulator import Emulator
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
        Path | None, typer.Option(help="Folder that keeps certificate, signing key, directory and logs.")
    ] = None,
    seed_file: Annotated[Path | None, typer.Option(help="Tenants to begin with (JSON); not what was kept.")] = None,
    host_name: Annotated[list[str] | None, typer.Option(help="One more name in its certificate; repeatable.")] = None,
) -> None:
    """Serves an emulator over TLS until it is interrupted."""
    if redirect_uri and not demo:
        raise typer.BadParameter("a redirect URI belongs to the demo tenant: add --demo", param_hint="--redirect-uri")
    outside = Network(challenge_folder=challenge_dir, ca_file=issuer_ca_file)
    try:
        folder = StateFolder(state) if state else None
        clock, key = SystemClock(), folder.signing_key() if folder else None
        emulator = Emulator(clock, seed, signing_key=key, outside=outside)
        kept = folder.load(emulator) if folder else None
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--state") from error
    if kept is not None:
        clock.advance(kept.ahead)
    if seed_file is not None and kept is None:
        _plant(emulator, seed_file)
    demo_tenant = kept.demo if kept else None
    try:
        if demo and demo_tenant is None:
            demo_tenant = emulator.seed_demo(tuple(redirect_uri or ()))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--redirect-uri") from error
    if folder is not None:
        folder.begin(emulator, demo_tenant)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        server = Server(emulator, latency=latency_ms / 1000, state=folder)
        server.host_names = tuple(host_name or ())
        runner.run(_serve(server, (host, port, metadata_port), ca_file, ready_file, demo_tenant))


def _plant(emulator: Emulator, seed_file: Path) -> None:
    try:
        plant(emulator.handle, seed_file.read_bytes())
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--seed-file") from error


async def _serve(
    server: Server, place: tuple[str, int, int | None], ca_file: Path, ready_file: Path | None, demo: Demo | None
) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    host, port, metadata_port = place
    running = await server.start(host, port, ca_file.absolute(), metadata_port)
    if ready_file is not None:
        _announce(ready_file, ready(running, demo))
    typer.echo(how_to_point(running, demo))
    await over.wait()
    await server.stop()


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


def _announce(path: Path, content: dict[str, Any]) -> None:
    """Writes the file in one step, so that a waiting reader never sees half of it, and only for its owner."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=2)
    draft.replace(path)


def how_to_point(running: Running, demo: Demo | None) -> str:
    """Instructions for the usual clients, with this server's own values."""
    at, ca = running.authority, running.ca_file
    tenant = demo.tenant_id if demo else "<tenant id>"
    client = demo.connection.app_id if demo else "<app id>"
    secret = demo.connection.secrets[0].value if demo else "<secret>"
    return f"""\
entra-emulator is ready: {at}   (look at it: {running.admin})

Trust its certificate:   export SSL_CERT_FILE={ca} REQUESTS_CA_BUNDLE={ca}

MSAL            msal.ConfidentialClientApplication("{client}", client_credential="{secret}",
                    authority="{at}/{tenant}", instance_discovery=False)
azure-identity  ClientSecretCredential("{tenant}", "{client}", "{secret}",
                    authority="{at}", disable_instance_discovery=True)
msgraph-sdk     client = GraphServiceClient(credential, scopes=["https://graph.microsoft.com/.default"])
                client.request_adapter.base_url = "{running.graph}"
az              export AZURE_CORE_INSTANCE_DISCOVERY=false
                az cloud register -n Emulator --skip-endpoint-discovery --endpoint-resource-manager {at} \\
                    --endpoint-active-directory {at} \\
                    --endpoint-active-directory-resource-id https://management.azure.com/ \\
                    --endpoint-microsoft-graph-resource-id {at}/
                az cloud set -n Emulator
                az login --service-principal -u {client} -p '{secret}' --tenant {tenant} --allow-no-subscriptions
"""


def run() -> None:
    """Entry point."""
    app()
