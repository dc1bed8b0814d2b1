"""``keyturn healthcheck``: ask the server of this machine whether it answers, where no other program could."""

import http.client
import ipaddress
from datetime import timedelta
from typing import Annotated

import typer

from keyturn.cli.context import command_context
from keyturn.errors import Unavailable

app = typer.Typer(rich_markup_mode=None)
WITHIN_SECONDS = 5.0
AGAIN = timedelta(seconds=30)


@app.command(help="Ask the server of this machine whether it answers: exit status 0 when it does, 1 otherwise.")
def healthcheck(
    ctx: typer.Context,
    ready: Annotated[bool, typer.Option("--ready", help="Ask whether it can work, too: database and worker.")] = False,
) -> None:
    settings = command_context(ctx).settings()
    host, port = loopback(settings.host), settings.port
    if settings.health_port is not None:
        host, port = loopback(settings.health_host or settings.host), settings.health_port
    path = "/readyz" if ready else "/healthz"
    connection = http.client.HTTPConnection(host, port, timeout=WITHIN_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        answer = connection.getresponse()
        body = answer.read(1000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(
            f"Nothing answers at {host} port {port}: {type(error).__name__}.",
            code="server.silent",
            retry_after=AGAIN,
            fix="Start the server with the same HOST, PORT and KEYTURN_HEALTH_PORT as this command.",
        ) from error
    finally:
        connection.close()
    if answer.status != 200:
        raise Unavailable(f"{path} answers {answer.status}: {body.strip()}", code="server.unhealthy", retry_after=AGAIN)
    print(body.strip())


def loopback(host: str) -> str:
    """Return the address at which this machine reaches what listens there."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"
