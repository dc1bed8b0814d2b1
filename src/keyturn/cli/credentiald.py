"""``keyturn credentiald``: hand secrets to units of systemd that ask for them with ``LoadCredential=``."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from keyturn.cli.client_options import Method, Url, client_of
from keyturn.cli.context import command_context, tell
from keyturn.cli.service_manager import tell_ready
from keyturn.client.agent_config import read_grants
from keyturn.client.core_dumps import forbid_core_dumps
from keyturn.client.credentiald import CredentialServer, listening
from keyturn.client.instance import new_instance

app = typer.Typer(rich_markup_mode=None)


@app.command()
def credentiald(
    ctx: typer.Context,
    config: Annotated[Path, typer.Option("--config", "-c", help="File that says which unit may have what (TOML).")],
    socket_path: Annotated[Path | None, typer.Option("--socket", help="Where to listen, unless systemd does.")] = None,
    url: Url = None,
    method: Method = None,
) -> None:
    """Answer what systemd asks for units, until a signal comes. What is not in the file gets nothing."""
    forbid_core_dumps()
    client = client_of(ctx, url, method, seconds=5.0)
    instance = new_instance()
    server = CredentialServer(
        read_grants(config, client.settings),
        lambda source: client.reader(source, instance=instance, announced=False),  # a unit keeps what it once got
        tell,
    )
    with listening(socket_path, client.environ) as opened:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        tell_ready(command_context(ctx))
        try:
            while True:
                server.answer(opened.accept()[0])
        except KeyboardInterrupt:
            tell("Ended.")
